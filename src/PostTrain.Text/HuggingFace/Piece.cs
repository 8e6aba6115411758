namespace PostTrain.Text.HuggingFace;

/// <summary>A part of a text that pre-tokenizers and the model process separately, or an added token found in it.</summary>
/// <param name="Text">The text that contains it.</param>
/// <param name="Start">First unit.</param>
/// <param name="Length">Number of units.</param>
/// <param name="Token">The id of the added token; −1 for text.</param>
internal readonly record struct Piece(AlignedText Text, int Start, int Length, int Token = -1)
{
    internal ReadOnlySpan<char> Span => Text.Text.AsSpan(Start, Length);

    /// <summary>Its start in the input.</summary>
    internal int Origin => Text.Source(Start, Start + Length).Start;

    /// <summary>Returns the text of this piece alone.</summary>
    internal AlignedText Cut() => Text.Slice(Start, Length);
}
