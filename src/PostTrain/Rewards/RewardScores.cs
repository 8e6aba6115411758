namespace PostTrain.Rewards;

/// <summary>The scores of a list of completions.</summary>
/// <param name="Values">The reward of each completion, in the order of the completions; NaN where the reward is not applicable.</param>
/// <param name="Components">Every named part before its weight, for the log; each array is as long as <paramref name="Values"/>, NaN where
/// the part is not applicable.</param>
public sealed record RewardScores(double[] Values, IReadOnlyDictionary<string, double[]> Components)
{
    /// <summary>Scores whose only part is the reward itself.</summary>
    /// <param name="name">The reward's name.</param>
    /// <param name="values">Its values.</param>
    public static RewardScores Of(string name, double[] values) => new(values, new Dictionary<string, double[]>(StringComparer.Ordinal) { [name] = values });
}
