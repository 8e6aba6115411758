namespace PostTrain.Text.HuggingFace;

/// <summary>A text during tokenization, with the range of the input for each of its UTF-16 units.</summary>
/// <param name="Text">The current text.</param>
/// <param name="Sources">[start, end) in the input for each unit; null if unit i is unit <paramref name="Origin"/> + i of the
/// input.</param>
/// <param name="Origin">Start of an unchanged text in the input.</param>
internal sealed record AlignedText(string Text, (int Start, int End)[]? Sources, int Origin = 0)
{
    /// <summary>Returns the range of the input for one unit.</summary>
    internal (int Start, int End) Source(int index) => Sources is null ? (Origin + index, Origin + index + 1) : Sources[index];

    /// <summary>Returns the range of the input for several units: from the first one's start to the last one's end.</summary>
    internal (int Start, int End) Source(int start, int end)
    {
        if (start >= end)
            return start < Text.Length ? (Source(start).Start, Source(start).Start) : (Origin, Origin);
        return Sources is null ? (Origin + start, Origin + end) : (Sources[start].Start, Sources[end - 1].End);
    }

    internal AlignedText Slice(int start, int length) =>
        start == 0 && length == Text.Length
            ? this
            : new AlignedText(
                Text.Substring(start, length),
                Sources?.AsSpan(start, length).ToArray(),
                Origin + (Sources is null ? start : 0)
            );
}
