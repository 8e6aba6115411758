using System.Globalization;

namespace PostTrain.Training.Diagnostics;

/// <summary>A rule that detects one problem of a run, or one harmless oddity, from its metrics.</summary>
/// <remarks>A rule has no state: its finding depends on the run's metrics only. To write your own rule, derive from this type and pass it
/// in the list given to <see cref="TrainingDiagnostics"/>.</remarks>
public abstract record DiagnosticRule
{
    /// <summary>The rule's name, words joined by hyphens. Its warnings carry the same name.</summary>
    public abstract string Name { get; }

    /// <summary>The meaning of a finding and what to do about it.</summary>
    public abstract string Advice { get; }

    /// <summary>The level of the rule's warnings.</summary>
    public virtual DiagnosticLevel Level => DiagnosticLevel.Warning;

    /// <summary>Examines a run after a step. Returns null if there is no finding, or if a metric is missing or has too few
    /// values.</summary>
    public abstract Finding? Look(RunCourse course);

    /// <summary>Checks the rule's thresholds.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Names the threshold, the value and the range.</exception>
    internal virtual void Validate() { }

    private protected static string Number(double value) => value.ToString("G4", CultureInfo.InvariantCulture);

    private protected static string Percent(double share) => (100 * share).ToString("0.#", CultureInfo.InvariantCulture) + " %";

    /// <summary>Checks a number of steps against the number of values that a <see cref="MetricCourse"/> keeps.</summary>
    private protected void CheckWindow(int value, string name, int most = MetricCourse.FirstKept)
    {
        if (value < 1 || value > most)
            throw new ArgumentOutOfRangeException(name, value, $"{GetType().Name}.{name} must be from 1 to {most}");
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
