using PostTrain.Numerics;

namespace PostTrain.Training;

/// <summary>How the learning rate rises in warm-up and goes on afterwards: transformers' schedules.</summary>
/// <remarks>Warm-up is the same for all of them and can be changed: <c>LearningRateSchedule.Cosine with { WarmupFrom = 0.1 }</c>. Values
/// are shares of the learning rate of the options. Formulas: transformers, <c>optimization.py</c>, named at each member.</remarks>
public abstract record LearningRateSchedule
{
    private LearningRateSchedule() { }

    /// <summary>Stays at 1 (<c>constant_with_warmup</c>).</summary>
    public static LearningRateSchedule Constant { get; } = new Flat();

    /// <summary>1 − x: falls in a straight line to 0 at the last step and stays there (<c>linear</c>).</summary>
    public static LearningRateSchedule Linear { get; } = new Power(1, 0);

    /// <summary>(1 + cos πx)/2: falls along half a cosine to 0 at the last step (<c>cosine</c>); past the end of the run the cosine goes
    /// on.</summary>
    public static LearningRateSchedule Cosine { get; } = new Wave(0, 0.5);

    /// <summary>1/√(t/w): t steps done, of which w were warm-up; without warm-up 1/√(1 + t/10000) (<c>inverse_sqrt</c>).</summary>
    public static LearningRateSchedule InverseSqrt { get; } = new Root(null);

    /// <summary>How warm-up rises.</summary>
    /// <value>The default is <see cref="RateCurve.Linear"/>.</value>
    public RateCurve WarmupCurve { get; init; } = RateCurve.Linear;

    /// <summary>Where warm-up begins, in [0, 1]; null is one step's share, 1 over the number of warm-up steps.</summary>
    /// <value>The default is 0: the first step changes nothing.</value>
    public double? WarmupFrom { get; init; } = 0;

    /// <summary>Whether the last step of warm-up has the full rate; else the first step after it has (<c>cosine_warmup_with_min_lr</c>).
    /// What comes after is one step earlier then.</summary>
    /// <value>The default is false.</value>
    public bool WarmupReachesFullRate { get; init; }

    /// <summary>m + (1 − m)(1 + cos 2πcx)/2: a cosine that falls to a share of the rate (<c>cosine_with_min_lr</c>).</summary>
    /// <param name="minimumRate">m, in [0, 1].</param>
    /// <param name="waves">c, how many whole waves until the last step; a half falls once.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range.</exception>
    public static LearningRateSchedule CosineTo(double minimumRate, double waves = 0.5)
    {
        Guard.Fraction(minimumRate, nameof(minimumRate));
        Guard.Positive(waves, nameof(waves));
        return new Wave(minimumRate, waves);
    }

    /// <summary>(1 + cos π(cx mod 1))/2: c half cosines, each from the full rate; 0 from the last step on (<c>cosine_with_restarts</c>;
    /// Loshchilov and Hutter, arXiv:1608.03983).</summary>
    /// <param name="cycles">c, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="cycles"/> is below 1.</exception>
    public static LearningRateSchedule CosineWithRestarts(int cycles)
    {
        Guard.AtLeast(cycles, 1, nameof(cycles));
        return new Restarts(cycles);
    }

    /// <summary>e + (1 − e)(1 − x)^p, and e from the last step on (<c>polynomial</c>).</summary>
    /// <param name="power">p, above 0.</param>
    /// <param name="end">e, the share of the rate that is left, in [0, 1].</param>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range.</exception>
    public static LearningRateSchedule Polynomial(double power, double end = 0)
    {
        Guard.Positive(power, nameof(power));
        Guard.Fraction(end, nameof(end));
        return new Power(power, end);
    }

    /// <summary>1/√((t − w + s)/s): as <see cref="InverseSqrt"/>, with the number of updates s in which it falls to 1/√2.</summary>
    /// <param name="timescale">s, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timescale"/> is below 1.</exception>
    public static LearningRateSchedule InverseSqrtOver(long timescale)
    {
        Guard.AtLeast(timescale, 1, nameof(timescale));
        return new Root(timescale);
    }

    /// <summary>Warm-up, then the full rate, then a fall to m over the last part of the run (<c>warmup_stable_decay</c>; warm-up rises from
    /// m too).</summary>
    /// <param name="decayShare">The part of the whole run in which it falls, in [0, 1]: rounded to whole updates, at most what warm-up
    /// leaves.</param>
    /// <param name="decay">The form of the fall.</param>
    /// <param name="minimumRate">m, in [0, 1].</param>
    /// <param name="warmup">The form of warm-up.</param>
    /// <param name="waves">With <see cref="RateCurve.Cosine"/>: how many whole waves the fall has; a half falls once.</param>
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

    /// <summary>A schedule of one's own for the steps after warm-up.</summary>
    /// <param name="name">Name for messages.</param>
    /// <param name="function">Share of the learning rate, 0 to 1, from the updates done before the step, the updates of warm-up and those
    /// of the whole run.</param>
    public static LearningRateSchedule Of(string name, Func<long, long, long, double> function)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(function);
        return new Own(name, function);
    }

    /// <summary>What the learning rate is multiplied with at a step.</summary>
    /// <param name="step">Updates done before this one, 0 and up.</param>
    /// <param name="warmupSteps">Updates of warm-up, at least 0.</param>
    /// <param name="totalSteps">Updates of the whole run.</param>
    /// <returns>Between 0 and 1.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The form or the beginning of warm-up is out of range.</exception>
    public double Multiplier(long step, long warmupSteps, long totalSteps)
    {
        int shift = WarmupReachesFullRate ? 1 : 0;
        if (step >= warmupSteps)
            return Math.Max(0, After(step + shift, warmupSteps, totalSteps));
        double from = WarmupFrom ?? 1.0 / warmupSteps;
        Guard.Fraction(from, nameof(WarmupFrom));
        return from + (1 - from) * Rise(WarmupCurve, (double)step / Math.Max(1, warmupSteps - shift));
    }

    /// <summary>Checks what <c>with</c> can set.</summary>
    internal void Validate()
    {
        Guard.Fraction(WarmupFrom ?? 0, nameof(WarmupFrom));
        Rise(WarmupCurve, 0);
    }

    private protected abstract double After(long step, long warmup, long total);

    // The share of the time after warm-up that is over; above 1 past the end.
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
