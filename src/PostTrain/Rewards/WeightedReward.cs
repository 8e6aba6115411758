namespace PostTrain.Rewards;

/// <summary>Implements <see cref="Reward.Weighted(string, ValueTuple{double, IReward}[])"/> and <see
/// cref="Reward.WeightedMean"/>.</summary>
internal sealed class WeightedReward : IReward
{
    private readonly (double Weight, IReward Reward)[] parts;
    private readonly bool isMean;

    internal WeightedReward(string name, (double Weight, IReward Reward)[] parts, bool isMean)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        if (parts.Length == 0)
            throw new ArgumentException("parts is empty, expected at least one weight and reward", nameof(parts));
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < parts.Length; i++)
        {
            var (weight, reward) = parts[i];
            if (reward is null)
                throw new ArgumentException($"parts[{i}] has no reward, expected one", nameof(parts));
            if (!double.IsFinite(weight) || (isMean && weight <= 0))
                throw new ArgumentException(
                    FormattableString.Invariant(
                        $"parts[{i}] ('{reward.Name}') has the weight {weight}, expected a finite number{(isMean ? " above 0" : "")}"
                    ),
                    nameof(parts)
                );
            if (!names.Add(reward.Name))
                throw new ArgumentException(
                    $"parts[{i}] is a second reward named '{reward.Name}', expected different names",
                    nameof(parts)
                );
        }

        Name = name;
        this.parts = [.. parts];
        this.isMean = isMean;
    }

    public string Name { get; }

    public async ValueTask<RewardScores> ScoreAsync(
        IReadOnlyList<Completion> completions,
        RewardContext context,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(completions);
        var sums = new double[completions.Count];
        var weights = new double[completions.Count];
        var applicable = new bool[completions.Count];
        var components = new Dictionary<string, double[]>(StringComparer.Ordinal);
        foreach (var (weight, reward) in parts)
        {
            var scores = await Scoring.ScorePartAsync(reward, completions, context, cancellation).ConfigureAwait(false);
            for (var i = 0; i < sums.Length; i++)
            {
                if (double.IsNaN(scores.Values[i]))
                    continue;
                sums[i] += weight * scores.Values[i];
                weights[i] += weight;
                applicable[i] = true;
            }

            components[reward.Name] = scores.Values;
            foreach (var (component, part) in scores.Components)
            {
                if (component != reward.Name)
                    components[$"{reward.Name}/{component}"] = part;
            }
        }

        return new RewardScores(
            [
                .. sums.Select(
                    (sum, i) =>
                        applicable[i]
                            ? isMean
                                ? sum / weights[i]
                                : sum
                            : double.NaN
                ),
            ],
            components
        );
    }
}
