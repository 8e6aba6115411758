using PostTrain.Numerics;

namespace PostTrain.Training;

/// <summary>A learning-rate schedule with warm-up, as in transformers.</summary>
/// <remarks>All schedules have the same warm-up, which can be changed: <c>LearningRateSchedule.Cosine with { WarmupFrom = 0.1 }</c>. Values
/// are multiples of the options' learning rate. Formulas: transformers, <c>optimization.py</c>, by the name at each member.</remarks>
public abstract record LearningRateSchedule
{
    private LearningRateSchedule() { }

    /// <summary>Stays at 1 (<c>constant_with_warmup</c>).</summary>
    public static LearningRateSchedule Constant { get; } = new Flat();

    /// <summary>1 − x: falls linearly to 0 at the last step and stays there (<c>linear</c>).</summary>
    public static LearningRateSchedule Linear { get; } = new Power(1, 0);

    /// <summary>(1 + cos πx)/2: falls along half a cosine to 0 at the last step (<c>cosine</c>); beyond the end of the run the cosine
    /// continues.</summary>
    public static LearningRateSchedule Cosine { get; } = new Wave(0, 0.5);

    /// <summary>1/√(t/w): t completed updates, w of them warm-up; without warm-up 1/√(1 + t/10000) (<c>inverse_sqrt</c>).</summary>
    public static LearningRateSchedule InverseSqrt { get; } = new Root(null);

    /// <summary>The curve of the warm-up.</summary>
    /// <value>The default is <see cref="RateCurve.Linear"/>.</value>
    public RateCurve WarmupCurve { get; init; } = RateCurve.Linear;

    /// <summary>Initial value of the warm-up, in [0, 1]; null means one step's share, 1 over the number of warm-up steps.</summary>
    /// <value>The default is 0: the first step changes nothing.</value>
    public double? WarmupFrom { get; init; } = 0;

    /// <summary>True if the last warm-up step has the full rate; otherwise the first step after it (<c>cosine_warmup_with_min_lr</c>). If
    /// true, the following steps are shifted by one.</summary>
    /// <value>The default is false.</value>
    public bool WarmupReachesFullRate { get; init; }

    /// <summary>Creates m + (1 − m)(1 + cos 2πcx)/2: a cosine that falls to a share of the rate (<c>cosine_with_min_lr</c>).</summary>
    /// <param name="minimumRate">m, in [0, 1].</param>
    /// <param name="waves">c, the number of waves until the last step; a half falls once.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range.</exception>
    public static LearningRateSchedule CosineTo(double minimumRate, double waves = 0.5)
    {
        Guard.Fraction(minimumRate, nameof(minimumRate));
        Guard.Positive(waves, nameof(waves));
        return new Wave(minimumRate, waves);
    }

    /// <summary>Creates (1 + cos π(cx mod 1))/2: c half cosines, each from the full rate; 0 from the last step on
    /// (<c>cosine_with_restarts</c>; Loshchilov and Hutter, arXiv:1608.03983).</summary>
    /// <param name="cycles">c, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="cycles"/> is below 1.</exception>
    public static LearningRateSchedule CosineWithRestarts(int cycles)
    {
        Guard.AtLeast(cycles, 1, nameof(cycles));
        return new Restarts(cycles);
    }

    /// <summary>Creates e + (1 − e)(1 − x)^p, and e from the last step on (<c>polynomial</c>).</summary>
    /// <param name="power">p, above 0.</param>
    /// <param name="end">e, the final share of the rate, in [0, 1].</param>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range.</exception>
    public static LearningRateSchedule Polynomial(double power, double end = 0)
    {
        Guard.Positive(power, nameof(power));
        Guard.Fraction(end, nameof(end));
        return new Power(power, end);
    }

    /// <summary>Creates 1/√((t − w + s)/s): like <see cref="InverseSqrt"/>, with the number of updates s after which it is 1/√2.</summary>
    /// <param name="timescale">s, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timescale"/> is below 1.</exception>
    public static LearningRateSchedule InverseSqrtOver(long timescale)
    {
        Guard.AtLeast(timescale, 1, nameof(timescale));
        return new Root(timescale);
    }

    /// <summary>Creates warm-up, a constant full rate, and a decay to m over the last part of the run (<c>warmup_stable_decay</c>; warm-up
    /// also starts at m).</summary>
    /// <param name="decayShare">Share of the run for the decay, in [0, 1]; rounded to whole updates, at most what warm-up leaves.</param>
    /// <param name="decay">The curve of the decay.</param>
    /// <param name="minimumRate">m, in [0, 1].</param>
    /// <param name="warmup">The curve of the warm-up.</param>
    /// <param name="waves">With <see cref="RateCurve.Cosine"/>: the number of waves of the decay; a half falls once.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range.</exception>
    public static LearningRateSchedule WarmupStableDecay(
        double decayShare,
        RateCurve decay = RateCurve.Cosine,
        double minimumRate = 0,
        RateCurve warmup = RateCurve.Linear,
        double waves = 0.5
    )
    {
        Guard.Fraction(decayShare, nameof(decayShare));
        Guard.Fraction(minimumRate, nameof(minimumRate));
        Guard.Positive(waves, nameof(waves));
        Fall(decay, 0, waves);
        return new Plateau(decayShare, decay, minimumRate, waves) { WarmupCurve = warmup, WarmupFrom = minimumRate };
    }

    /// <summary>Creates a schedule of your own for the steps after warm-up.</summary>
    /// <param name="name">Name for messages.</param>
    /// <param name="function">Computes the multiple of the learning rate, 0 to 1, from the completed updates, the warm-up updates and the
    /// total updates.</param>
    public static LearningRateSchedule Of(string name, Func<long, long, long, double> function)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(function);
        return new Own(name, function);
    }

    /// <summary>Returns the multiple of the learning rate at a step.</summary>
    /// <param name="step">Completed updates, 0 and up.</param>
    /// <param name="warmupSteps">Warm-up updates, at least 0.</param>
    /// <param name="totalSteps">Updates of the whole run.</param>
    /// <returns>Between 0 and 1.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The curve or initial value of the warm-up is out of range.</exception>
    public double Multiplier(long step, long warmupSteps, long totalSteps)
    {
        int shift = WarmupReachesFullRate ? 1 : 0;
        if (step >= warmupSteps)
            return Math.Max(0, After(step + shift, warmupSteps, totalSteps));
        double from = WarmupFrom ?? 1.0 / warmupSteps;
        Guard.Fraction(from, nameof(WarmupFrom));
        return from + (1 - from) * Rise(WarmupCurve, (double)step / Math.Max(1, warmupSteps - shift));
    }

    /// <summary>Checks the properties that <c>with</c> can set.</summary>
    internal void Validate()
    {
        Guard.Fraction(WarmupFrom ?? 0, nameof(WarmupFrom));
        Rise(WarmupCurve, 0);
    }

    private protected abstract double After(long step, long warmup, long total);

    // The completed share of the time after warm-up; above 1 beyond the end.
    private static double Over(long step, long warmup, long total) => (double)(step - warmup) / Math.Max(1, total - warmup);

    private static double Rise(RateCurve curve, double x) =>
        curve switch
        {
            RateCurve.Linear => x,
            RateCurve.Cosine => 0.5 * (1 - Math.Cos(Math.PI * x)),
            RateCurve.OneMinusSqrt => 1 - Math.Sqrt(1 - x),
            _ => throw Unknown(curve),
        };

    private static double Fall(RateCurve curve, double x, double waves) =>
        curve switch
        {
            RateCurve.Linear => 1 - x,
            RateCurve.Cosine => 0.5 * (1 + Math.Cos(2 * Math.PI * waves * x)),
            RateCurve.OneMinusSqrt => 1 - Math.Sqrt(x),
            _ => throw Unknown(curve),
        };

    private static ArgumentOutOfRangeException Unknown(RateCurve curve) =>
        new(nameof(curve), curve, "expected Linear, Cosine or OneMinusSqrt");

    private sealed record Flat : LearningRateSchedule
    {
        private protected override double After(long step, long warmup, long total) => 1;
    }

    private sealed record Own(string Name, Func<long, long, long, double> Function) : LearningRateSchedule
    {
        private protected override double After(long step, long warmup, long total) =>
            Function(step, warmup, total) is var share && share is >= 0 and <= 1
                ? share
                : throw new InvalidOperationException($"the schedule '{Name}' returned {share} at step {step}, expected a share of 0 to 1");

        public override string ToString() => Name;
    }

    private sealed record Power(double Exponent, double End) : LearningRateSchedule
    {
        private protected override double After(long step, long warmup, long total) =>
            End + (1 - End) * Math.Pow(1 - Math.Min(1, Over(step, warmup, total)), Exponent);
    }

    private sealed record Wave(double Minimum, double Waves) : LearningRateSchedule
    {
        private protected override double After(long step, long warmup, long total) =>
            Minimum + (1 - Minimum) * Fall(RateCurve.Cosine, Over(step, warmup, total), Waves);
    }

    private sealed record Restarts(int Cycles) : LearningRateSchedule
    {
        private protected override double After(long step, long warmup, long total) =>
            Over(step, warmup, total) is < 1 and var over ? Fall(RateCurve.Cosine, Cycles * over % 1, 0.5) : 0;
    }

    private sealed record Root(long? Timescale) : LearningRateSchedule
    {
        private const long WithoutWarmup = 10_000;

        private protected override double After(long step, long warmup, long total)
        {
            long scale = Timescale ?? (warmup > 0 ? warmup : WithoutWarmup);
            return 1 / Math.Sqrt((double)(step - warmup + scale) / scale);
        }
    }

    private sealed record Plateau(double Share, RateCurve Curve, double Minimum, double Waves) : LearningRateSchedule
    {
        private protected override double After(long step, long warmup, long total)
        {
            long falling = Math.Min((long)Math.Round(Share * total), Math.Max(0, total - warmup)),
                end = Math.Max(total, warmup);
            if (step >= end)
                return Minimum;
            if (step < end - falling)
                return 1;
            return Minimum + (1 - Minimum) * Fall(Curve, (double)(step - (end - falling)) / falling, Waves);
        }
    }
}
