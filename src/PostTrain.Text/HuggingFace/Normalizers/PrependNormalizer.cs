using System.Text;

namespace PostTrain.Text.HuggingFace;

/// <summary>Prepends a text to one that is not empty; its source is the first character.</summary>
internal sealed class PrependNormalizer(string prefix) : Normalizer
{
    internal override AlignedText Apply(AlignedText text) => Prepend(text, prefix);

    internal static AlignedText Prepend(AlignedText text, string prefix)
    {
        if (text.Text.Length == 0 || prefix.Length == 0)
            return text;
        var output = new AlignedTextBuilder(text.Text.Length + prefix.Length);
        output.Append(prefix, text.Source(0, Rune.GetRuneAt(text.Text, 0).Utf16SequenceLength));
        output.Append(text, 0, text.Text.Length);
        return output.Build();
    }
}
