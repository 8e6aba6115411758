namespace PostTrain.Text.HuggingFace;

/// <summary>Removes white space from the source ranges of tokens.</summary>
/// <param name="addsSpace">True if a single space at a text's beginning was added and is kept.</param>
/// <param name="trims">False disables the step.</param>
internal sealed class BytePostProcessor(bool addsSpace, bool trims) : PostProcessor
{
    internal override bool NeedsTexts => trims;

    internal override IReadOnlyList<EncodedPart> Apply(IReadOnlyList<EncodedPart> parts, bool special) =>
        trims ? [.. parts.Select(Trim)] : parts;

    private EncodedPart Trim(EncodedPart part)
    {
        if (part.Texts.Length == 0)
            return part;
        var offsets = part.Offsets.ToArray();
        for (int i = 0; i < offsets.Length; i++)
        {
            string text = part.Texts[i];
            int leading = 0,
                trailing = 0;
            while (leading < text.Length && IsSpace(text[leading]))
                leading++;
            while (trailing < text.Length && IsSpace(text[text.Length - 1 - trailing]))
                trailing++;
            var (start, end) = offsets[i];
            if (leading == 1 && addsSpace && (i == 0 || start == 0))
                leading = 0;
            for (; leading > 0 && start < end; leading--)
                start += char.IsHighSurrogate(part.Source[start]) ? 2 : 1;
            for (trailing = end >= trailing ? trailing : 0; trailing > 0 && end > start; trailing--)
                end -= char.IsLowSurrogate(part.Source[end - 1]) ? 2 : 1;
            offsets[i] = (start, end);
        }

        return part with
        {
            Offsets = offsets,
        };
    }

    private static bool IsSpace(char unit) => unit == ByteAlphabet.Character((byte)' ') || char.IsWhiteSpace(unit);
}
