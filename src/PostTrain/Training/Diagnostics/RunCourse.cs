namespace PostTrain.Training.Diagnostics;

/// <summary>The course of every metric of a run.</summary>
public sealed class RunCourse
{
    private static readonly MetricCourse Nothing = new();
    private readonly List<KeyValuePair<string, double>> notFinite = [];
    private readonly Dictionary<string, MetricCourse> courses = new(StringComparer.Ordinal);

    /// <summary>The latest step; 0 before the first.</summary>
    public long Step { get; private set; }

    /// <summary>The course of a metric, <c>loss</c> among them; an empty one for a metric that was never reported.</summary>
    public MetricCourse this[string metric] => courses.GetValueOrDefault(metric, Nothing);

    /// <summary>The metrics that were reported, in no order.</summary>
    public IReadOnlyCollection<string> Metrics => courses.Keys;

    /// <summary>The metrics of the latest step that are NaN or infinite, which no course holds.</summary>
    public IReadOnlyList<KeyValuePair<string, double>> NotFinite => notFinite;

    /// <summary>Whether the run is judged by rewards of its own completions. A reward model has a mean reward too, but it is what the model
    /// itself says of pairs, whose margin is reported beside it: no aim, and not to be held against anything.</summary>
    internal bool HasReward => this["reward/mean"].Count > 0 && this["reward/margin"].Count == 0;

    internal void Add(StepReport report)
    {
        Step = report.Step;
        notFinite.Clear();
        notFinite.AddRange(report.Metrics.Where(metric => !double.IsFinite(metric.Value)));
        Of("loss").Add(report.Step, report.Loss);
        foreach (var (name, value) in report.Metrics)
            if (name != "loss")
                Of(name).Add(report.Step, value);
    }

    private MetricCourse Of(string metric)
    {
        if (!courses.TryGetValue(metric, out var course))
            courses[metric] = course = new MetricCourse();
        return course;
    }
}
