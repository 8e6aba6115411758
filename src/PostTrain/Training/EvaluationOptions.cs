using PostTrain.Numerics;

namespace PostTrain.Training;

/// <summary>When a run is evaluated on data that it does not train on, and what follows from it.</summary>
public sealed record EvaluationOptions
{
    /// <summary>Steps between evaluations, at least 1; the last step is evaluated in any case.</summary>
    /// <value>The default is 100.</value>
    public int Every { get; init; } = 100;

    /// <summary>The metric that decides which evaluation is the best.</summary>
    /// <value>The default is <c>eval/loss</c>.</value>
    public string Metric { get; init; } = "eval/loss";

    /// <summary>Whether more of the metric is better, as of a reward.</summary>
    /// <value>The default is false.</value>
    public bool HigherIsBetter { get; init; }

    /// <summary>The run ends after this many evaluations in a row without a better one; 0 never ends it early.</summary>
    /// <value>The default is 0.</value>
    public int Patience { get; init; }

    internal void Validate()
    {
        Guard.AtLeast(Every, 1, $"Evaluation.{nameof(Every)}");
        Guard.AtLeast(Patience, 0, $"Evaluation.{nameof(Patience)}");
        ArgumentException.ThrowIfNullOrEmpty(Metric);
    }

    /// <summary>The best evaluation after one more.</summary>
    internal BestEvaluation Judge(BestEvaluation? best, long step, double value) =>
        best is null || (HigherIsBetter ? value > best.Value : value < best.Value) ? new BestEvaluation(step, value, 0) : best with { Since = best.Since + 1 };
}
