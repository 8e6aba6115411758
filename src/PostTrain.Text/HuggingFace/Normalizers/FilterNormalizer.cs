using System.Text;

namespace PostTrain.Text.HuggingFace;

/// <summary>Removes the characters that fail a test.</summary>
internal sealed class FilterNormalizer(Func<Rune, bool> keeps) : Normalizer
{
    internal override AlignedText Apply(AlignedText text)
    {
        var output = new AlignedTextBuilder(text.Text.Length);
        for (int at = 0; at < text.Text.Length; )
        {
            var rune = Rune.GetRuneAt(text.Text, at);
            if (keeps(rune))
                output.Append(text, at, rune.Utf16SequenceLength);
            at += rune.Utf16SequenceLength;
        }

        return output.Length == text.Text.Length ? text : output.Build();
    }
}
