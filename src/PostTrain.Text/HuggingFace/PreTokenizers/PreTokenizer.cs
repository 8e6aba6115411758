using System.Text;

namespace PostTrain.Text.HuggingFace;

/// <summary>Splits a text into the pieces that the model processes separately: the "pre_tokenizer" of a tokenizer's file.</summary>
internal abstract class PreTokenizer
{
    private const int MaximumDepth = 16;

    internal abstract void Apply(PieceList pieces);

    internal static PreTokenizer Read(TokenizerNode node, int depth = 0)
    {
        if (depth > MaximumDepth)
            throw new InvalidDataException($"{node.Place} is a sequence {depth} deep, expected at most {MaximumDepth}");
        var kind = node.Kind();
        return kind switch
        {
            "ByteLevel" => new BytePreTokenizer(node.Flag("add_prefix_space", true), node.Flag("use_regex", true)),
            "Split" => SplitPreTokenizer.Read(node),
            "Metaspace" => MetaspacePreTokenizer.Read(node),
            "Whitespace" => new SplitPreTokenizer(new InvertedPattern(new WordPattern()), SplitBehavior.Removed),
            "WhitespaceSplit" => Spaces,
            "Punctuation" => new SplitPreTokenizer(
                Punctuation,
                node.Find("behavior") is { } behavior ? SplitPreTokenizer.Behavior(behavior) : SplitBehavior.Isolated
            ),
            "Digits" => new SplitPreTokenizer(
                new CharacterPattern(Characters.IsNumeric),
                node.Flag("individual_digits", false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous
            ),
            "BertPreTokenizer" => new PreTokenizerSequence([Spaces, new SplitPreTokenizer(Punctuation, SplitBehavior.Isolated)]),
            "CharDelimiterSplit" or "Delimiter" => new SplitPreTokenizer(
                new LiteralPattern(node.Get("delimiter").Character().ToString()),
                SplitBehavior.Removed
            ),
            "Sequence" => new PreTokenizerSequence([.. node.Get("pretokenizers").Items().Select(item => Read(item, depth + 1))]),
            _ => throw new InvalidDataException(
                $"{node.Place} has the type {kind}, expected ByteLevel, Split, Metaspace, Whitespace, WhitespaceSplit, "
                    + "Punctuation, Digits, BertPreTokenizer, CharDelimiterSplit or Sequence"
            ),
        };
    }

    private static TextPattern Punctuation { get; } = new CharacterPattern(Characters.IsPunctuation);

    private static PreTokenizer Spaces { get; } = new SplitPreTokenizer(new CharacterPattern(Rune.IsWhiteSpace), SplitBehavior.Removed);
}
