namespace PostTrain.Distillation;

/// <summary>The tokens of an answer in one model's vocabulary.</summary>
/// <param name="Ids">Token ids.</param>
/// <param name="Offsets">Place of each token in the answer's text, [Start, End) in any unit that both models share; null: the i-th token
/// of one model is compared with the i-th of the other.</param>
public sealed record AnswerTokens(IReadOnlyList<int> Ids, IReadOnlyList<(int Start, int End)>? Offsets = null)
{
    /// <summary>Number of tokens.</summary>
    public int Count => Ids.Count;
}
