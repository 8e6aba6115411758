namespace PostTrain.Text.HuggingFace;

/// <summary>A text on its way to tokens, and for each of its UTF-16 units the range of the input that it came from.</summary>
/// <param name="Text">The text as it is now.</param>
/// <param name="Sources">[start, end) in the input for each unit; null where unit i is unit <paramref name="Origin"/> + i of the
/// input.</param>
/// <param name="Origin">Where an unchanged text begins in the input.</param>
internal sealed record AlignedText(string Text, (int Start, int End)[]? Sources, int Origin = 0)
{
    /// <summary>The range of the input that one unit came from.</summary>
    internal (int Start, int End) Source(int index) => Sources is null ? (Origin + index, Origin + index + 1) : Sources[index];

    /// <summary>The range of the input that several units came from: from the first one's start to the last one's end.</summary>
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
