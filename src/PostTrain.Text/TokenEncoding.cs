namespace PostTrain.Text;

/// <summary>An encoded text with the source range of each token.</summary>
/// <param name="Ids">The ids.</param>
/// <param name="Offsets">The UTF-16 units [Start, End) of the text for each token. Tokens that are parts of one character share its range;
/// a special token added by the tokenizer has (0, 0).</param>
public sealed record TokenEncoding(int[] Ids, (int Start, int End)[] Offsets)
{
    /// <summary>0 for tokens of the first text of a pair, 1 for those of the second, according to the tokenizer's template.</summary>
    public int[] TypeIds { get; init; } = new int[Ids.Length];

    /// <summary>True for special tokens that the tokenizer added; false for those contained in the text.</summary>
    public bool[] Special { get; init; } = new bool[Ids.Length];
}
