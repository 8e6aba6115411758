using System.Globalization;
using System.Text;
using PostTrain.Training.Diagnostics;

namespace PostTrain.Training;

/// <summary>The report of one training step, yielded by every trainer and received by every observer (<see
/// cref="IProgress{T}"/>).</summary>
/// <param name="Step">Number of the optimiser step, from 1; 0 for an evaluation before the first.</param>
/// <param name="Loss">Loss of the step, before its update; NaN at step 0.</param>
/// <param name="Metrics">Further values by name; the remarks list the names that trainers share.</param>
/// <param name="Elapsed">Time since the run began.</param>
/// <remarks>Names are an interface: <c>learning_rate</c>, <c>grad_norm</c>, <c>tokens_per_second</c>, <c>reward/mean</c>,
/// <c>reward/std</c>, <c>reward/&lt;component&gt;</c>, <c>completion/length</c>, <c>completion/finished</c>, <c>kl</c>, <c>entropy</c>,
/// <c>policy/clip_fraction</c>,
/// <c>penalty/&lt;term&gt;</c>. A metric that a trainer does not have is absent, not 0.</remarks>
public sealed record StepReport(long Step, double Loss, IReadOnlyDictionary<string, double> Metrics, TimeSpan Elapsed)
{
    /// <summary>Warnings about the data, with the first step that they concern; <see cref="TrainingDiagnostics"/> passes them on.</summary>
    /// <value>The default is empty.</value>
    public IReadOnlyList<Warning> Warnings { get; init; } = [];

    // In reading order. A line contains those that the trainer reports.
    private static readonly string[] InLine =
    [
        "reward/mean",
        "completion/length",
        "kl",
        "entropy",
        "grad_norm",
        "learning_rate",
        "tokens_per_second",
    ];

    /// <summary>Returns one line of text: the step, the loss and the best-known metrics, in the invariant culture; and a line for each of
    /// its warnings.</summary>
    public override string ToString()
    {
        var line = new StringBuilder();
        line.Append(CultureInfo.InvariantCulture, $"step {Step, 5}  loss {Number(Loss)}");
        foreach (var name in InLine)
        {
            if (Metrics.TryGetValue(name, out var value))
                line.Append(CultureInfo.InvariantCulture, $"  {name} {Number(value)}");
        }

        foreach (var warning in Warnings)
            line.Append(CultureInfo.InvariantCulture, $"{Environment.NewLine}{warning}");
        return line.ToString();
    }

    private static string Number(double value)
    {
        var size = Math.Abs(value);
        var format = size switch
        {
            0 => "0",
            >= 1000 and < 1e9 => "F0",
            >= 10 and < 1000 => "F1",
            >= 0.001 and < 10 => "F4",
            _ => "0.##E+0",
        };
        return double.IsFinite(value) ? value.ToString(format, CultureInfo.InvariantCulture) : value.ToString(CultureInfo.InvariantCulture);
    }
}
