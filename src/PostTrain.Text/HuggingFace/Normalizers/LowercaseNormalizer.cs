using System.Text;

namespace PostTrain.Text.HuggingFace;

/// <summary>Replaces each character by its lower case.</summary>
internal sealed class LowercaseNormalizer : Normalizer
{
    internal override AlignedText Apply(AlignedText text)
    {
        if (!text.Text.EnumerateRunes().Any(rune => Lower(rune) != rune))
            return text;
        var output = new AlignedTextBuilder(text.Text.Length);
        for (int at = 0; at < text.Text.Length; )
        {
            var rune = Rune.GetRuneAt(text.Text, at);
            var source = text.Source(at, at + rune.Utf16SequenceLength);
            output.Append(Lower(rune), source);
            // The only character whose lower case has two characters.
            if (rune.Value == 0x130)
                output.Append('\u0307', source);
            at += rune.Utf16SequenceLength;
        }

        return output.Build();
    }

    private static Rune Lower(Rune rune) => rune.Value == 0x130 ? new Rune('i') : Rune.ToLowerInvariant(rune);
}
