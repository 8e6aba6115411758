namespace PostTrain.Training.Diagnostics;

/// <summary>The values of every metric of a run.</summary>
public sealed class RunCourse
{
    private static readonly MetricCourse Nothing = new();
    private readonly List<KeyValuePair<string, double>> notFinite = [];
    private readonly Dictionary<string, MetricCourse> courses = new(StringComparer.Ordinal);

    /// <summary>The latest step; 0 before the first one.</summary>
    public long Step { get; private set; }

    /// <summary>The values of a metric, <c>loss</c> included; empty for a metric that was never reported.</summary>
    public MetricCourse this[string metric] => courses.GetValueOrDefault(metric, Nothing);

    /// <summary>Names of the reported metrics, in no particular order.</summary>
    public IReadOnlyCollection<string> Metrics => courses.Keys;

    /// <summary>Metrics of the latest step that are NaN or infinite; no course holds them.</summary>
    public IReadOnlyList<KeyValuePair<string, double>> NotFinite => notFinite;

    /// <summary>True if the run trains on rewards of its own completions. A reward model in training also reports a mean reward, but that
    /// is its own output for pairs; such runs are recognised by the margin.</summary>
    internal bool HasReward => this["reward/mean"].Count > 0 && this["reward/margin"].Count == 0;

    internal void Add(StepReport report)
    {
        Step = report.Step;
        notFinite.Clear();
        notFinite.AddRange(report.Metrics.Where(metric => !double.IsFinite(metric.Value)));
        if (report.Step > 0)
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
