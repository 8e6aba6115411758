using PostTrain.Numerics;

namespace PostTrain.Training;

/// <summary>When a run is evaluated on data that it does not train on, and what follows from it.</summary>
public sealed record EvaluationOptions
{
    /// <summary>Steps between evaluations, at least 1; the last step is evaluated in any case.</summary>
    /// <value>The default is 100.</value>
    public int Every { get; init; } = 100;

    private const string DefaultMetric = "eval/loss";

    /// <summary>The metric that decides which evaluation is the best. One that the first evaluation does not give is refused there, with
    /// the names there are.</summary>
    /// <value>The default is <c>eval/loss</c>. Trainers on completions of their own have none: they take <c>eval/reward/mean</c> or another
    /// of theirs, without which no evaluation is the best.</value>
    public string Metric { get; init; } = DefaultMetric;

    /// <summary>Whether more of the metric is better, as of a reward.</summary>
    /// <value>The default is false.</value>
    public bool HigherIsBetter { get; init; }

    /// <summary>The run ends after this many evaluations in a row without a better one; 0 never ends it early. An evaluation whose metric
    /// is not finite does not count; the
    /// diagnostic <c>not-finite</c> says so.</summary>
    /// <value>The default is 0.</value>
    public int Patience { get; init; }

    internal void Validate()
    {
        Guard.AtLeast(Every, 1, $"Evaluation.{nameof(Every)}");
        Guard.AtLeast(Patience, 0, $"Evaluation.{nameof(Patience)}");
        ArgumentException.ThrowIfNullOrEmpty(Metric);
    }

    /// <summary>The best evaluation after one more; a value that is not finite is no evaluation.</summary>
    internal BestEvaluation? Judge(BestEvaluation? best, long step, double value) =>
        !double.IsFinite(value) ? best
        : best is null || (HigherIsBetter ? value > best.Value : value < best.Value) ? new BestEvaluation(step, value, 0)
        : best with { Since = best.Since + 1 };

    /// <summary>Refuses a run whose patience waits for a metric of evaluations that are never made.</summary>
    internal void CheckData(bool given, string name)
    {
        if (!given && Patience > 0 && IsEvaluated(Metric))
            throw new ArgumentException(
                $"Evaluation.Patience is {Patience} and there is no evaluation, so that Evaluation.Metric '{Metric}' never appears; expected data to evaluate on",
                name
            );
    }

    /// <summary>Refuses a metric that an evaluation should have given, where something depends on it.</summary>
    internal void CheckNamed(IReadOnlyDictionary<string, double> metrics)
    {
        if (metrics.ContainsKey(Metric) || !metrics.Keys.Any(IsEvaluated) || (Patience == 0 && Metric == DefaultMetric))
            return;
        var names = metrics.Keys.Where(IsEvaluated).Order(StringComparer.Ordinal);
        throw new InvalidOperationException(
            $"Evaluation.Metric is '{Metric}', which the evaluation does not give; expected one of {string.Join(", ", names)}"
        );
    }

    private static bool IsEvaluated(string metric) => metric.StartsWith("eval/", StringComparison.Ordinal);
}
