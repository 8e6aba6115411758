using System.Globalization;

namespace PostTrain.Training.Reports;

/// <summary>A confidence interval [<paramref name="Lower"/>, <paramref name="Upper"/>] of a proportion, both in [0, 1].</summary>
public readonly record struct ConfidenceInterval(double Lower, double Upper)
{
    /// <summary>The interval in percent, such as <c>35.6–54.8 %</c>, in the invariant culture.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{100 * Lower:F1}–{100 * Upper:F1} %");
}
