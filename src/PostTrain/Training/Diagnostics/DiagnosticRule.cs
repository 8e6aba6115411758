using System.Globalization;

namespace PostTrain.Training.Diagnostics;

/// <summary>One thing that can go wrong in a run, or look as if it did, and how the metrics tell.</summary>
/// <remarks>A rule has no state: what it says follows from the course alone. A rule of one's own derives from this and goes into the list
/// given to <see cref="TrainingDiagnostics"/>.</remarks>
public abstract record DiagnosticRule
{
    /// <summary>Its name in words joined by hyphens; the name of the warnings that it raises.</summary>
    public abstract string Name { get; }

    /// <summary>What its finding means and what to do about it.</summary>
    public abstract string Advice { get; }

    /// <summary>Whether a finding is something wrong.</summary>
    public virtual DiagnosticLevel Level => DiagnosticLevel.Warning;

    /// <summary>Looks at a run after a step; null where there is nothing to say, also where a metric is missing or too short.</summary>
    public abstract Finding? Look(RunCourse course);

    /// <summary>Checks the rule's thresholds.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Names the threshold, the value and the range.</exception>
    internal virtual void Validate() { }

    private protected static string Number(double value) => value.ToString("G4", CultureInfo.InvariantCulture);

    private protected static string Percent(double share) => (100 * share).ToString("0.#", CultureInfo.InvariantCulture) + " %";

    /// <summary>A number of steps that a course keeps.</summary>
    private protected void CheckWindow(int value, string name, int most = MetricCourse.FirstKept)
    {
        if (value < 1 || value > most)
            throw new ArgumentOutOfRangeException(name, value, $"{GetType().Name}.{name} must be 1 to {most}");
    }

    private protected void CheckAbove(double value, double least, string name)
    {
        if (!(value > least))
            throw new ArgumentOutOfRangeException(
                name,
                value,
                FormattableString.Invariant($"{GetType().Name}.{name} must be above {least}")
            );
    }
}
