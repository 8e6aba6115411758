namespace PostTrain.Text;

/// <summary>A text as tokens, and where each comes from.</summary>
/// <param name="Ids">The ids.</param>
/// <param name="Offsets">For each token the UTF-16 units [Start, End) of the text that it stands for. Tokens that are parts of one
/// character share its range; a special token that the tokenizer added stands for nothing: (0, 0).</param>
public sealed record TokenEncoding(int[] Ids, (int Start, int End)[] Offsets)
{
    /// <summary>0 for tokens of the first text of a pair, 1 for the second's, as the tokenizer's template says.</summary>
    public int[] TypeIds { get; init; } = new int[Ids.Length];

    /// <summary>True for the special tokens that the tokenizer added; those that stand in the text are not among them.</summary>
    public bool[] Special { get; init; } = new bool[Ids.Length];
}
