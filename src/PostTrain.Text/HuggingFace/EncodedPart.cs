namespace PostTrain.Text.HuggingFace;

/// <summary>Tokens of one sequence, or special tokens between sequences.</summary>
/// <param name="Ids">The ids.</param>
/// <param name="Offsets">Source range of each token in its sequence's text.</param>
/// <param name="Texts">The tokens as the model spells them; empty if no step needs them.</param>
/// <param name="Source">The sequence's text.</param>
/// <param name="Type">0 or 1: the sequence of a pair.</param>
/// <param name="Special">True if a post-processor added them.</param>
internal sealed record EncodedPart(int[] Ids, (int Start, int End)[] Offsets, string[] Texts, string Source, int Type, bool Special = false)
{
    /// <summary>A sequence without tokens.</summary>
    internal static EncodedPart Empty { get; } = new([], [], [], "", 0);

    /// <summary>Creates tokens without a source text.</summary>
    internal static EncodedPart Added(IReadOnlyList<int> ids, int type) =>
        new([.. ids], new (int, int)[ids.Count], [], "", type, Special: true);

    /// <summary>Returns the first or last tokens.</summary>
    internal EncodedPart Truncate(int length, bool keepsEnd)
    {
        if (length >= Ids.Length)
            return this;
        var range = keepsEnd ? (Ids.Length - length).. : ..length;
        return this with { Ids = Ids[range], Offsets = Offsets[range], Texts = Texts.Length > 0 ? Texts[range] : [] };
    }
}
