using PostTrain.Numerics;

namespace PostTrain.Training;

/// <summary>Options of the evaluation on held-out data, early stopping included.</summary>
public sealed record EvaluationOptions
{
    /// <summary>Steps between evaluations, at least 1; the last step is always evaluated.</summary>
    /// <value>The default is 100.</value>
    public int Every { get; init; } = 100;

    private const string DefaultMetric = "eval/loss";

    /// <summary>The metric that determines the best evaluation. If the first evaluation does not report it, an error lists the available
    /// names.</summary>
    /// <value>The default is <c>eval/loss</c>. Trainers on their own completions do not report it: use <c>eval/reward/mean</c> or another
    /// of their metrics, otherwise no evaluation is the best.</value>
    public string Metric { get; init; } = DefaultMetric;

    /// <summary>True if higher values of the metric are better, as for a reward.</summary>
    /// <value>The default is false.</value>
    public bool HigherIsBetter { get; init; }

    /// <summary>Number of consecutive evaluations without improvement after which the run ends; 0 never ends it early. An evaluation whose
    /// metric is not finite does not count; the diagnostic <c>not-finite</c> reports it.</summary>
    /// <value>The default is 0.</value>
    public int Patience { get; init; }

    internal void Validate()
    {
        Guard.AtLeast(Every, 1, $"Evaluation.{nameof(Every)}");
        Guard.AtLeast(Patience, 0, $"Evaluation.{nameof(Patience)}");
        ArgumentException.ThrowIfNullOrEmpty(Metric);
    }

    /// <summary>Returns the best evaluation after one more; a value that is not finite is ignored.</summary>
    internal BestEvaluation? Judge(BestEvaluation? best, long step, double value) =>
        !double.IsFinite(value) ? best
        : best is null || (HigherIsBetter ? value > best.Value : value < best.Value) ? new BestEvaluation(step, value, 0)
        : best with { Since = best.Since + 1 };

    /// <summary>Rejects a run with patience but without evaluation data.</summary>
    internal void CheckData(bool given, string name)
    {
        if (!given && Patience > 0 && IsEvaluated(Metric))
            throw new ArgumentException(
                $"Evaluation.Patience is {Patience} but there is no evaluation data, so Evaluation.Metric '{Metric}' is never "
                    + "reported; expected data to evaluate on",
                name
            );
    }

    /// <summary>Rejects a metric that the evaluation does not report, if something depends on it.</summary>
    internal void CheckNamed(IReadOnlyDictionary<string, double> metrics)
    {
        if (metrics.ContainsKey(Metric) || !metrics.Keys.Any(IsEvaluated) || (Patience == 0 && Metric == DefaultMetric))
            return;
        var names = metrics.Keys.Where(IsEvaluated).Order(StringComparer.Ordinal);
        throw new InvalidOperationException(
            $"Evaluation.Metric is '{Metric}', which the evaluation does not report; expected one of {string.Join(", ", names)}"
        );
    }

    private static bool IsEvaluated(string metric) => metric.StartsWith("eval/", StringComparison.Ordinal);
}
