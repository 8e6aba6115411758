using MathNet.Numerics.Statistics;
using PostTrain.Rewards;
using PostTrain.Rollouts;

namespace PostTrain.Training;

/// <summary>A step of a <see cref="RolloutTrainer"/> in progress: its prompts, its metrics, its time, and the rollouts that it
/// owns.</summary>
public sealed class RolloutStep : IDisposable
{
    private readonly StepClock clock = new();
    private readonly List<RolloutBatch> owned = [];
    private readonly List<JudgedRollouts> judged = [];

    internal RolloutStep(PromptSource prompts, CancellationToken cancellation) => (Prompts, Cancellation) = (prompts, cancellation);

    /// <summary>Source of the step's prompts.</summary>
    public PromptSource Prompts { get; }

    /// <summary>Cancels sampling and scoring.</summary>
    public CancellationToken Cancellation { get; }

    /// <summary>The trainer's own metrics, reported in addition to those of <see cref="RolloutTrainer"/>.</summary>
    public Dictionary<string, double> Metrics { get; } = [];

    /// <summary>Completions of all draws.</summary>
    internal IReadOnlyList<Completion> Completions => [.. judged.SelectMany(drawn => drawn.Completions)];

    /// <summary>Rewards of all draws; components that not every draw has are left out.</summary>
    internal RewardScores Scores =>
        judged.Count == 1 ? judged[0].Scores : RewardScores.Concatenate([.. judged.Select(drawn => drawn.Scores)]);

    /// <summary>Rollouts ahead of the run; null where the step draws its own.</summary>
    internal RolloutsAhead? Ahead { get; init; }

    /// <summary>Groups that the step has taken from <see cref="Ahead"/>.</summary>
    internal IReadOnlyList<RolloutGroup> Groups { get; set; } = [];

    /// <summary>Seconds since the step began.</summary>
    internal double Seconds => clock.Total;

    /// <summary>Adds the time since the last call to a part of the step: metric <c>time/PART</c>, in seconds.</summary>
    public void Book(string part) => clock.Book(part);

    /// <summary>Takes ownership of rollouts; they are disposed with the step, even if it fails.</summary>
    internal RolloutBatch Own(RolloutBatch rollouts)
    {
        owned.Add(rollouts);
        return rollouts;
    }

    /// <summary>Adds judged completions to the step's report.</summary>
    internal void Note(JudgedRollouts drawn) => judged.Add(drawn);

    internal void AddTimesTo(Dictionary<string, double> metrics) => clock.AddTo(metrics);

    /// <summary>Disposes the rollouts.</summary>
    public void Dispose()
    {
        foreach (var rollouts in owned)
            rollouts.Dispose();
    }

    /// <summary>Metrics of judged completions; the names are listed at <see cref="RolloutTrainer"/>.</summary>
    /// <param name="completions">At least one.</param>
    /// <param name="scores">Rewards of the completions.</param>
    /// <param name="groupSize">Completions of a prompt.</param>
    /// <param name="isJudged">False leaves the rewards out.</param>
    internal static Dictionary<string, double> MetricsOf(
        IReadOnlyList<Completion> completions,
        RewardScores scores,
        int groupSize,
        bool isJudged
    )
    {
        var metrics = new Dictionary<string, double>();
        if (isJudged)
        {
            var groups = scores.Values.Chunk(groupSize).ToArray();
            metrics["reward/mean"] = scores.Values.Mean();
            metrics["reward/std"] = scores.Values.PopulationStandardDeviation();
            if (groupSize > 1)
                metrics["reward/zero_groups"] = groups.Count(group => group.All(value => value == group[0])) / (double)groups.Length;
        }
        metrics["completion/length"] = completions.Average(completion => completion.Tokens.Length);
        metrics["completion/finished"] = completions.Average(completion => completion.Finished ? 1.0 : 0.0);
        if (completions.Any(completion => completion.Turns.Count > 0))
            metrics["completion/turns"] = completions.Average(completion => Math.Max(1, completion.Turns.Count));
        if (!isJudged)
            return metrics;
        foreach (var (name, values) in scores.Components)
        {
            // A component is averaged over its applicable values.
            var applicable = values.Where(value => !double.IsNaN(value)).ToArray();
            if (applicable.Length > 0)
                metrics[$"reward/{name}"] = applicable.Mean();
        }
        return metrics;
    }
}
