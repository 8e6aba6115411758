namespace PostTrain.Rewards;

/// <summary>The scores of a list of completions.</summary>
/// <param name="Values">The reward of each completion, in order; NaN if not applicable.</param>
/// <param name="Components">The unweighted values of every named part, for the log; each array is as long as <paramref name="Values"/>, NaN
/// if the part is not applicable.</param>
public sealed record RewardScores(double[] Values, IReadOnlyDictionary<string, double[]> Components)
{
    /// <summary>Creates scores whose only component is the reward itself.</summary>
    /// <param name="name">The reward's name.</param>
    /// <param name="values">Its values.</param>
    public static RewardScores Of(string name, double[] values) =>
        new(values, new Dictionary<string, double[]>(StringComparer.Ordinal) { [name] = values });

    /// <summary>Concatenates the scores of several lists; components that not all of them have are left out.</summary>
    public static RewardScores Concatenate(IReadOnlyList<RewardScores> parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        var names = parts.Count == 0 ? [] : parts[0].Components.Keys.Where(name => parts.All(part => part.Components.ContainsKey(name)));
        return new RewardScores(
            [.. parts.SelectMany(part => part.Values)],
            names.ToDictionary(name => name, name => parts.SelectMany(part => part.Components[name]).ToArray())
        );
    }
}
