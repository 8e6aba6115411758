using System.Text;

namespace PostTrain.Text.HuggingFace;

/// <summary>Replaces each byte of the text's UTF-8 by its printable character.</summary>
internal sealed class ByteNormalizer : Normalizer
{
    internal override AlignedText Apply(AlignedText text)
    {
        var output = new AlignedTextBuilder(text.Text.Length);
        Append(text, 0, text.Text.Length, output);
        return output.Build();
    }

    /// <summary>Appends the byte characters of a part of a text; each byte has its character's source.</summary>
    internal static void Append(AlignedText text, int start, int length, AlignedTextBuilder output)
    {
        Span<byte> utf8 = stackalloc byte[4];
        for (int at = start; at < start + length; )
        {
            char unit = text.Text[at];
            if (unit < 0x80)
            {
                output.Append(ByteAlphabet.Character((byte)unit), text.Source(at++));
                continue;
            }

            var rune = Rune.GetRuneAt(text.Text, at);
            var source = text.Source(at, at + rune.Utf16SequenceLength);
            int bytes = rune.EncodeToUtf8(utf8);
            for (int i = 0; i < bytes; i++)
                output.Append(ByteAlphabet.Character(utf8[i]), source);
            at += rune.Utf16SequenceLength;
        }
    }
}
