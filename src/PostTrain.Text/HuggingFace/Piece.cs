namespace PostTrain.Text.HuggingFace;

/// <summary>A part of a text that goes through the pre-tokenizers and the model on its own, or an added token that was found in
/// it.</summary>
/// <param name="Text">The text that it is a part of.</param>
/// <param name="Start">Its first unit.</param>
/// <param name="Length">Its number of units.</param>
/// <param name="Token">The id of the added token; −1 for text.</param>
internal readonly record struct Piece(AlignedText Text, int Start, int Length, int Token = -1)
{
    internal ReadOnlySpan<char> Span => Text.Text.AsSpan(Start, Length);

    /// <summary>Where it begins in the input.</summary>
    internal int Origin => Text.Source(Start, Start + Length).Start;

    /// <summary>The text of this piece alone.</summary>
    internal AlignedText Cut() => Text.Slice(Start, Length);
}
