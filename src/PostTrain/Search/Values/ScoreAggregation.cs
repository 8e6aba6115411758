namespace PostTrain.Search;

/// <summary>Makes one score of a solution from the scores of its steps. The presets are those of
/// <see cref="Rewards.Steps.StepAggregation"/>, for scores of any range; a single score is its own product, minimum, mean and
/// last.</summary>
public sealed class ScoreAggregation
{
    private readonly Func<IReadOnlyList<double>, double> aggregate;

    private ScoreAggregation(string name, Func<IReadOnlyList<double>, double> aggregate) => (Name, this.aggregate) = (name, aggregate);

    /// <summary>The score of the last step (Snell et al. 2024, arXiv:2408.03314).</summary>
    public static ScoreAggregation Last { get; } = new("last", scores => scores[^1]);

    /// <summary>The lowest score (Math-Shepherd, arXiv:2312.08935).</summary>
    public static ScoreAggregation Minimum { get; } = new("min", scores => scores.Min());

    /// <summary>Π p_k (Lightman et al. 2023, arXiv:2305.20050).</summary>
    public static ScoreAggregation Product { get; } = new("prod", scores => scores.Aggregate(1.0, (product, score) => product * score));

    /// <summary>The mean score.</summary>
    public static ScoreAggregation Mean { get; } = new("mean", scores => scores.Average());

    /// <summary>The name in messages.</summary>
    public string Name { get; }

    /// <summary>A function of one's own.</summary>
    /// <param name="name">The name in messages.</param>
    /// <param name="aggregate">Of at least one finite score to a finite one.</param>
    public static ScoreAggregation Of(string name, Func<IReadOnlyList<double>, double> aggregate)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(aggregate);
        return new ScoreAggregation(name, aggregate);
    }

    /// <summary>The score of a solution.</summary>
    /// <param name="scores">At least one.</param>
    /// <exception cref="ArgumentException">There is none.</exception>
    public double Aggregate(IReadOnlyList<double> scores)
    {
        ArgumentNullException.ThrowIfNull(scores);
        return scores.Count > 0
            ? aggregate(scores)
            : throw new ArgumentException("scores is empty, expected at least one score", nameof(scores));
    }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
