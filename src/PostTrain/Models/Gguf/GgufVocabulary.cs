using System.Text;
using PostTrain.Text;
using PostTrain.Text.Chat;
using PostTrain.Text.Files;

namespace PostTrain.Models.Gguf;

/// <summary>A tokenizer and a chat template as metadata of a GGUF file.</summary>
internal static class GgufVocabulary
{
    private const string Prefix = "tokenizer.ggml.";

    /// <summary>Kinds of tokens by llama.cpp's numbers.</summary>
    internal enum TokenKind
    {
        Normal = 1,
        Unknown = 2,
        Control = 3,
        UserDefined = 4,
        Unused = 5,
        Byte = 6,
    }

    /// <summary>Tokens by id, and how text is cut into them.</summary>
    /// <param name="Model">llama.cpp's name: <c>gpt2</c> (bytes and merges) or <c>llama</c> (SentencePiece's scores).</param>
    /// <param name="PreTokenizer">llama.cpp's name of the way in which words are cut.</param>
    /// <param name="Tokens">Text and kind of each.</param>
    internal sealed record Table(string Model, string PreTokenizer, List<(string Text, TokenKind Kind)> Tokens)
    {
        internal float[]? Scores { get; init; }

        internal string[]? Merges { get; init; }

        internal int? Beginning { get; init; }

        internal int? End { get; init; }

        internal int? EndOfTurn { get; init; }

        internal int? Unknown { get; init; }

        internal int? Padding { get; init; }

        internal bool AddsBeginning { get; init; }

        internal bool AddsEnd { get; init; }

        internal bool SpaceInFront { get; init; } = true;
    }

    /// <summary>The keys of a directory's tokenizer and chat template.</summary>
    internal static IEnumerable<(string Key, object Value)> Keys(string directory, DecoderConfig config, string? preTokenizer)
    {
        var table = TokenizerFiles.Load(directory) switch
        {
            TokenizerJson tokenizer => GgufTokenizerJson.Read(directory, tokenizer, config, preTokenizer),
            SentencePieceTokenizer tokenizer => Pieces(directory, tokenizer),
            CharacterTokenizer tokenizer => Characters(tokenizer),
            var other => throw new NotSupportedException(
                $"{directory}: a {other.GetType().Name} cannot be written as GGUF: llama.cpp has no greedy longest match. "
                    + $"Set {nameof(GgufExportOptions.Vocabulary)} to false to write the model alone."
            ),
        };
        if (table.Tokens.Count > config.VocabularySize)
            throw new InvalidDataException(
                $"{directory}: the tokenizer has {table.Tokens.Count} tokens, expected at most the model's {config.VocabularySize}"
            );
        Pad(table, config.VocabularySize);
        foreach (var item in Keys(table))
            yield return item;
        if (Template(directory) is { } template)
            yield return ("tokenizer.chat_template", template);
    }

    private static IEnumerable<(string Key, object Value)> Keys(Table table)
    {
        yield return (Prefix + "model", table.Model);
        yield return (Prefix + "pre", table.PreTokenizer);
        yield return (Prefix + "tokens", table.Tokens.Select(token => token.Text).ToArray());
        if (table.Scores is { } scores)
            yield return (Prefix + "scores", scores);
        yield return (Prefix + "token_type", table.Tokens.Select(token => (int)token.Kind).ToArray());
        if (table.Merges is { } merges)
            yield return (Prefix + "merges", merges);
        foreach (
            var (name, id) in new[]
            {
                ("bos", table.Beginning),
                ("eos", table.End),
                ("eot", table.EndOfTurn),
                ("unknown", table.Unknown),
                ("padding", table.Padding),
            }
        )
        {
            if (id is { } given)
                yield return ($"{Prefix}{name}_token_id", (uint)given);
        }

        yield return (Prefix + "add_bos_token", table.AddsBeginning);
        yield return (Prefix + "add_eos_token", table.AddsEnd);
        yield return (Prefix + "add_sep_token", false);
        if (!table.SpaceInFront)
            yield return (Prefix + "add_space_prefix", false);
    }

    // Rows of the embedding that no token has.
    private static void Pad(Table table, int size)
    {
        for (var id = table.Tokens.Count; id < size; id++)
            table.Tokens.Add(($"[PAD{id}]", TokenKind.Unused));
    }

    // llama2.c writes a space for SentencePiece's mark of one, and line ends around the names of control pieces.
    private static Table Pieces(string directory, SentencePieceTokenizer tokenizer)
    {
        var path = Directory.GetFiles(directory, "tok*.bin").Single();
        var file = SentencePieceFile.Parse(BoundedFile.ReadBytes(path, SentencePieceFile.MaximumBytes, SentencePieceFile.Expected), path);
        string[] control = ["<unk>", "<s>", "</s>"];
        var tokens = new List<(string, TokenKind)>();
        for (var id = 0; id < file.Pieces.Length; id++)
        {
            var text = Encoding.UTF8.GetString(file.Pieces[id]).Replace(' ', GgufTokenizerJson.Space);
            tokens.Add(
                id < control.Length ? (control[id], id == 0 ? TokenKind.Unknown : TokenKind.Control)
                : GgufTokenizerJson.IsByte(text) ? (text, TokenKind.Byte)
                : (text, TokenKind.Normal)
            );
        }

        return new Table("llama", "default", tokens)
        {
            Scores = file.Scores,
            Unknown = 0,
            Beginning = SentencePieceTokenizer.BeginningOfSequenceId,
            End = tokenizer.EndOfSequenceId,
            EndOfTurn = tokenizer.PaddingId,
            AddsBeginning = true,
        };
    }

    // Pieces of one character each, which nothing merges; named tokens that are text stay visible.
    private static Table Characters(CharacterTokenizer tokenizer)
    {
        var tokens = new List<(string, TokenKind)>();
        for (var id = 0; id < tokenizer.SpecialTokens.Count; id++)
            tokens.Add(
                (
                    tokenizer.SpecialTokens[id],
                    id == tokenizer.PaddingId || id == tokenizer.EndOfSequenceId ? TokenKind.Control : TokenKind.UserDefined
                )
            );
        foreach (var rune in tokenizer.Alphabet.EnumerateRunes())
            tokens.Add((rune.ToString().Replace(' ', GgufTokenizerJson.Space), TokenKind.Normal));
        return new Table("llama", "default", tokens)
        {
            Scores = new float[tokens.Count],
            End = tokenizer.EndOfSequenceId,
            Padding = tokenizer.PaddingId,
            SpaceInFront = false,
        };
    }

    private static string? Template(string directory)
    {
        try
        {
            return ChatTemplate.Load(directory).SourceOf("default");
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }
}
