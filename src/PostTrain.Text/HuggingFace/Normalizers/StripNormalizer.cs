namespace PostTrain.Text.HuggingFace;

/// <summary>Removes white space at the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : Normalizer
{
    internal override AlignedText Apply(AlignedText text)
    {
        int start = left ? text.Text.Length - text.Text.AsSpan().TrimStart().Length : 0;
        int end = right ? text.Text.AsSpan().TrimEnd().Length : text.Text.Length;
        return text.Slice(Math.Min(start, end), Math.Max(0, end - start));
    }
}
