namespace PostTrain.Rollouts.Logits;

/// <summary>A bias of the last token of a sequence, applied if the text ends with the tokens before it.</summary>
/// <param name="Tokens">Token ids, at least one; a single token is biased everywhere.</param>
/// <param name="Bias">Added to the score; −∞ bans, NaN and +∞ are rejected.</param>
public sealed record SequenceBias(IReadOnlyList<int> Tokens, double Bias);
