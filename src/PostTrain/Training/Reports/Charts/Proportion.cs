using System.Globalization;
using MathNet.Numerics.Distributions;

namespace PostTrain.Training.Reports;

/// <summary>Successes in a number of independent trials, as an estimate of the probability of success.</summary>
/// <remarks>Intervals: Brown, Cai and DasGupta 2001, "Interval estimation for a binomial proportion", Statistical Science 16(2).</remarks>
public sealed record Proportion
{
    /// <summary>Creates a proportion from counts.</summary>
    /// <param name="successes">In [0, <paramref name="trials"/>].</param>
    /// <param name="trials">At least 0. If 0, <see cref="Value"/> is NaN and each interval is [0, 1].</param>
    /// <exception cref="ArgumentOutOfRangeException">A count is out of range.</exception>
    public Proportion(int successes, int trials)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(trials);
        ArgumentOutOfRangeException.ThrowIfNegative(successes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(successes, trials);
        (Successes, Trials) = (successes, trials);
    }

    /// <summary>Number of successes.</summary>
    public int Successes { get; }

    /// <summary>Number of trials.</summary>
    public int Trials { get; }

    /// <summary>The estimate p̂ = successes / trials.</summary>
    public double Value => (double)Successes / Trials;

    /// <summary>Computes the Wilson score interval (p̂ + z²/2n ± z·√(p̂(1−p̂)/n + z²/4n²)) / (1 + z²/n), z the normal quantile at (1 +
    /// confidence)/2.</summary>
    /// <remarks>Its average coverage is near the stated confidence, even at 0 and n successes, where the textbook interval has width
    /// 0.</remarks>
    /// <param name="confidence">In (0, 1); default 0.95.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="confidence"/> is not in (0, 1).</exception>
    public ConfidenceInterval Interval(double confidence = 0.95)
    {
        RequireConfidence(confidence);
        if (Trials == 0)
            return new ConfidenceInterval(0, 1);

        var z = Normal.InvCDF(0, 1, (1 + confidence) / 2);
        double n = Trials,
            p = Value,
            z2 = z * z;
        var centre = p + z2 / (2 * n);
        var half = z * Math.Sqrt(p * (1 - p) / n + z2 / (4 * n * n));
        var scale = 1 + z2 / n;

        // Exactly 0 and 1 at the ends; rounding would give values such as -1e-17.
        return new ConfidenceInterval(Successes == 0 ? 0 : (centre - half) / scale, Successes == Trials ? 1 : (centre + half) / scale);
    }

    /// <summary>Computes the exact Clopper-Pearson interval [B(α/2; k, n−k+1), B(1−α/2; k+1, n−k)], B the quantile of the beta
    /// distribution.</summary>
    /// <remarks>Its coverage is never below the stated confidence, so it is wider than <see cref="Interval"/>. Absolute error below
    /// 1e-7.</remarks>
    /// <param name="confidence">In (0, 1); default 0.95.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="confidence"/> is not in (0, 1).</exception>
    public ConfidenceInterval ExactInterval(double confidence = 0.95)
    {
        RequireConfidence(confidence);
        var tail = (1 - confidence) / 2;
        return new ConfidenceInterval(
            Successes == 0 ? 0 : Beta.InvCDF(Successes, Trials - Successes + 1.0, tail),
            Successes == Trials ? 1 : Beta.InvCDF(Successes + 1.0, Trials - Successes, 1 - tail)
        );
    }

    /// <summary>The value with its 95 % Wilson interval, such as <c>45.0 % (35.6–54.8 %)</c>, in the invariant culture.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{100 * Value:F1} % ({Interval()})");

    private static void RequireConfidence(double confidence)
    {
        if (!(confidence is > 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(confidence), confidence, "confidence must be in (0, 1), such as 0.95.");
    }
}
