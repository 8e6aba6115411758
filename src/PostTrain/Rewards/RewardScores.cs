namespace PostTrain.Rewards;

/// <summary>The scores of a list of completions.</summary>
/// <param name="Values">The reward of each completion, in the order of the completions.</param>
/// <param name="Components">Every named part before its weight, for the log; each array is as long as <paramref name="Values"/>.</param>
public sealed record RewardScores(double[] Values, IReadOnlyDictionary<string, double[]> Components);
