namespace PostTrain.Rollouts.Logits;

/// <summary>A bias of the last token of a sequence, given where the text ends with the tokens before it.</summary>
/// <param name="Tokens">Ids, at least one; one alone is biased everywhere.</param>
/// <param name="Bias">Added to the score; −∞ bans, NaN and +∞ are refused.</param>
public sealed record SequenceBias(IReadOnlyList<int> Tokens, double Bias);
