using PostTrain.Training;

namespace PostTrain.Tool;

/// <summary>The reports of a run for a display: the latest value of each metric, all values, and the time left.</summary>
internal sealed class RunHistory(long steps)
{
    private readonly Dictionary<string, List<double>> courses = [];
    private long firstStep;
    private TimeSpan firstElapsed;

    /// <summary>Number of steps of the whole run.</summary>
    public long Steps => steps;

    /// <summary>The latest report; null before the first.</summary>
    public StepReport? Last { get; private set; }

    /// <summary>The completed share of the run, in [0, 1].</summary>
    public double Share => Last is null || steps <= 0 ? 0 : Math.Clamp((double)Last.Step / steps, 0, 1);

    /// <summary>The time left at the current speed of this process; null if unknown.</summary>
    /// <remarks>Measured from the first report, because a resumed run starts in the middle and the first step is slow.</remarks>
    public TimeSpan? Left
    {
        get
        {
            if (Last is null || Last.Step <= firstStep)
                return null;
            var perStep = (Last.Elapsed - firstElapsed) / (Last.Step - firstStep);
            return perStep * Math.Max(0, steps - Last.Step);
        }
    }

    /// <summary>Returns the values of a metric so far, oldest first.</summary>
    public IReadOnlyList<double> Course(string metric) => courses.TryGetValue(metric, out var course) ? course : [];

    /// <summary>Adds the next report.</summary>
    public void Add(StepReport report)
    {
        if (Last is null)
            (firstStep, firstElapsed) = (report.Step, report.Elapsed);
        Last = report;
        Append("loss", report.Loss);
        foreach (var (name, value) in report.Metrics)
            Append(name, value);
    }

    private void Append(string name, double value)
    {
        if (!courses.TryGetValue(name, out var course))
            courses[name] = course = [];
        course.Add(value);
    }
}
