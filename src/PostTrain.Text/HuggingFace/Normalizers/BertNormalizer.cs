using System.Globalization;
using System.Text;

namespace PostTrain.Text.HuggingFace;

/// <summary>BERT's normaliser: removes control characters, separates Chinese characters, removes accents, converts to lower case.</summary>
internal sealed class BertNormalizer(bool cleans, bool separatesChinese, bool stripsAccents, bool lowers) : Normalizer
{
    private static readonly UnicodeNormalizer Decomposition = new(compatibility: false, compose: false);
    private static readonly FilterNormalizer Accents = new(rune => Rune.GetUnicodeCategory(rune) != UnicodeCategory.NonSpacingMark);
    private static readonly LowercaseNormalizer Lowercase = new();

    internal static BertNormalizer Read(TokenizerNode node)
    {
        bool lowers = node.Get("lowercase").Flag();
        return new BertNormalizer(
            node.Get("clean_text").Flag(),
            node.Get("handle_chinese_chars").Flag(),
            node.Flag("strip_accents", lowers),
            lowers
        );
    }

    internal override AlignedText Apply(AlignedText text)
    {
        if (cleans || separatesChinese)
            text = Clean(text);
        if (stripsAccents)
            text = Accents.Apply(Decomposition.Apply(text));
        return lowers ? Lowercase.Apply(text) : text;
    }

    private AlignedText Clean(AlignedText text)
    {
        var output = new AlignedTextBuilder(text.Text.Length);
        for (int at = 0; at < text.Text.Length; )
        {
            var rune = Rune.GetRuneAt(text.Text, at);
            int width = rune.Utf16SequenceLength;
            var source = text.Source(at, at + width);
            bool drops = cleans && (rune.Value is 0 or 0xFFFD || Characters.IsControl(rune));
            bool chinese = separatesChinese && Characters.IsChinese(rune);
            if (chinese)
                output.Append(' ', source);
            if (cleans && !drops && Rune.IsWhiteSpace(rune))
                output.Append(' ', source);
            else if (!drops)
                output.Append(text, at, width);
            if (chinese)
                output.Append(' ', source);
            at += width;
        }

        return output.Build();
    }
}
