using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Policy.Losses.Surrogates;
using TorchSharp;
using static TorchSharp.torch;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Policy.Losses;

/// <summary>The loop of the policy kernels over rows of tokens.</summary>
internal static unsafe class PolicyPass
{
    // Sums of a row.
    private struct Sums
    {
        internal double Loss,
            Cut,
            OldKl,
            Kl,
            Count;
    }

    private struct Memory<T>
        where T : unmanaged
    {
        internal T* LogProbs,
            OldLogProbs,
            Reference,
            Losses,
            Gradient;
        internal MaskPointer<T> Mask;
        internal SignalPointer<T> Advantages,
            Weights,
            Corrections;
        internal long Columns;
        internal TokenWeights TokenWeights;
    }

    /// <summary>True if a surrogate has a closed form here.</summary>
    internal static bool Takes(PolicySurrogate surrogate) =>
        surrogate
            is ClipSurrogate
                or RatioSurrogate
                or PolicyGradientSurrogate
                or CispoSurrogate
                or DppoSurrogate
                or SapoSurrogate
                or DroSurrogate;

    /// <summary>Runs over CPU memory; results are fresh tensors of the caller's scope.</summary>
    internal static PolicyResult Run(PolicyCall call, PolicySurrogate surrogate) =>
        surrogate switch
        {
            ClipSurrogate clip => Run(call, new ClipForm(clip.Range, clip.Cap)),
            RatioSurrogate => Run(call, default(RatioForm)),
            PolicyGradientSurrogate => Run(call, default(LogProbForm)),
            CispoSurrogate cispo => Run(call, new WeightedForm(cispo.Least, cispo.Most)),
            DppoSurrogate { Kl: true } dppo => Run(call, new DppoKlForm(dppo.Range, dppo.Cap)),
            DppoSurrogate dppo => Run(call, new DppoTvForm(dppo.Range, dppo.Cap)),
            SapoSurrogate sapo => Run(call, new SapoForm(sapo.Positive, sapo.Negative)),
            DroSurrogate dro => Run(call, new DroForm(dro.Beta)),
            _ => throw new NotSupportedException($"{surrogate} has no kernel; PolicyObjective.Loss has it"),
        };

    private static PolicyResult Run<TForm>(PolicyCall call, TForm form)
        where TForm : struct, ISurrogateForm =>
        call.LogProbs.dtype == ScalarType.Float32 ? Run<float, TForm>(call, form) : Run<double, TForm>(call, form);

    private static PolicyResult Run<T, TForm>(PolicyCall call, TForm form)
        where T : unmanaged
        where TForm : struct, ISurrogateForm
    {
        Tensor losses = TensorMemory.Fresh(call.LogProbs),
            gradient = TensorMemory.Fresh(call.LogProbs);
        using var logProbs = new NumberSource<T>(call.LogProbs);
        using var oldLogProbs = new NumberSource<T>(call.OldLogProbs);
        using var reference = new NumberSource<T>(call.Reference);
        using var mask = new MaskSource<T>(call.Mask);
        using var advantages = new NumberSource<T>(call.Advantages);
        using var weights = new NumberSource<T>(call.Weights);
        using var corrections = new NumberSource<T>(call.ImportanceWeights);
        var memory = new Memory<T>
        {
            LogProbs = logProbs.Pointer,
            OldLogProbs = oldLogProbs.Pointer,
            Reference = reference.Pointer,
            Losses = TensorMemory.Address<T>(losses),
            Gradient = TensorMemory.Address<T>(gradient),
            Mask = mask.Pointer,
            Advantages = new(advantages.Pointer, call.Advantages.dim() == 1),
            Weights = new(weights.Pointer, call.Weights?.dim() == 1),
            Corrections = new(corrections.Pointer, call.ImportanceWeights?.dim() == 1),
            Columns = call.LogProbs.size(1),
            TokenWeights = TokenWeights.Of(call.Aggregation, call.Denominator, call.Mask, mask.Pointer),
        };
        var rows = new Sums[call.LogProbs.size(0)];
        Workers.Run(rows.Length, call.LogProbs.numel(), row => rows[row] = Row(call, form, in memory, row));

        var total = default(Sums);
        foreach (var sums in rows)
        {
            total.Loss += sums.Loss;
            total.Cut += sums.Cut;
            total.OldKl += sums.OldKl;
            total.Kl += sums.Kl;
            total.Count += sums.Count;
        }
        double counted = Math.Max(total.Count, 1);
        return new PolicyResult(
            total.Loss / memory.TokenWeights.Divisor,
            losses,
            gradient,
            total.Cut / counted,
            total.OldKl / counted,
            total.Kl / counted
        );
    }

    private static Sums Row<T, TForm>(PolicyCall call, TForm form, in Memory<T> memory, long row)
        where T : unmanaged
        where TForm : struct, ISurrogateForm
    {
        long columns = memory.Columns,
            start = row * columns;
        double weight = memory.TokenWeights.OfRow(memory.Mask, start, columns);
        var scale = Vector256.Create(weight / memory.TokenWeights.Divisor);
        var (level, share) = (call.Level, 0.0);
        var rowRatio = V.Zero;
        if (level != RatioLevel.Token)
        {
            double length = level == RatioLevel.SequenceSum ? 1 : Math.Max(memory.Mask.Number(start, columns), 1);
            share = 1 / length;
            rowRatio = Vector256.Create(Difference(in memory, start) / length);
        }
        var cap = KlLanes.Cap<T>();
        V lossSum = V.Zero,
            cutSum = V.Zero,
            oldSum = V.Zero,
            klSum = V.Zero,
            countSum = V.Zero,
            slopeSum = V.Zero;
        bool spreads = level is RatioLevel.Sequence or RatioLevel.SequenceSum;
        for (long i = 0; i < columns; i += Lanes.Count)
        {
            long place = start + i,
                count = columns - i;
            V m = memory.Mask.Load(place, count),
                counted = Lanes.NotZero(m);
            countSum += m;
            var current = Lanes.Where(counted, Lanes.Load(memory.LogProbs + place, count));
            var old = Lanes.Where(counted, Lanes.Load(memory.OldLogProbs + place, count));
            var difference = current - old;
            var lanes = new SurrogateLanes
            {
                LogProbs = current,
                OldLogProbs = old,
                Ratio = Lanes.Exp(Bounded(difference), out var minusOne),
            };
            var beyond = Beyond(difference);
            // Within the bound the divergence from the old policy shares the ratio's exponential.
            if (Vector256.ExtractMostSignificantBits(beyond) != 0)
                minusOne = Lanes.ExpM1(difference, cap, out _, out _);
            oldSum += minusOne - difference;
            if (level != RatioLevel.Token)
            {
                var logRatio = Lanes.Where(counted, rowRatio);
                beyond = Beyond(logRatio);
                lanes.Ratio = Lanes.Exp(Bounded(logRatio));
            }
            lanes.Advantages = Lanes.Where(counted, memory.Advantages.Load(row, place, count));
            form.Of(in lanes, out var loss, out var slope, out var direct, out var cut);
            cutSum += Lanes.Where(cut & counted, V.One);
            if (memory.Weights.IsPresent || memory.Corrections.IsPresent)
            {
                var factor = Lanes.Where(counted, memory.Weights.Load(row, place, count) * memory.Corrections.Load(row, place, count));
                (loss, slope, direct) = (loss * factor, slope * factor, direct * factor);
            }
            if (memory.Reference != null)
            {
                var distance = Lanes.Where(counted, current - Lanes.Load(memory.Reference + place, count));
                KlLanes.Of(call.Estimator, distance, cap, out var estimate, out var klSlope);
                var beta = Vector256.Create(call.Beta);
                if (call.CorrectKl)
                {
                    (estimate, klSlope) = (estimate * lanes.Ratio, klSlope * lanes.Ratio);
                    if (call.Beta > 0)
                        slope += beta * estimate;
                }
                klSum += Lanes.Where(counted, estimate);
                if (call.Beta > 0)
                {
                    loss += beta * estimate;
                    direct += beta * klSlope;
                }
            }
            // Beyond its bound ρ has no gradient.
            slope = Vector256.AndNot(slope, beyond);
            loss = Lanes.Where(counted, loss);
            lossSum += loss;
            if (spreads)
                slopeSum += Lanes.Where(counted, slope);
            else
                direct += slope;
            Lanes.Store(memory.Losses + place, loss, count);
            Lanes.Store(memory.Gradient + place, Lanes.Where(counted, direct * scale), count);
        }
        if (spreads)
            Spread(in memory, start, Vector256.Create(Vector256.Sum(slopeSum) * share) * scale);
        return new Sums
        {
            Loss = Vector256.Sum(lossSum) * weight,
            Cut = Vector256.Sum(cutSum),
            OldKl = Vector256.Sum(oldSum),
            Kl = Vector256.Sum(klSum),
            Count = Vector256.Sum(countSum),
        };
    }

    // log ρ as it stands in an exponent; NaN stays.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Bounded(V logRatio) =>
        Vector256.Min(Vector256.Max(logRatio, Vector256.Create(-KlDivergence.RatioBound)), Vector256.Create(KlDivergence.RatioBound));

    // Where log ρ is outside of its bound, as a mask.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Beyond(V logRatio) => Vector256.GreaterThan(Vector256.Abs(logRatio), Vector256.Create(KlDivergence.RatioBound));

    // Σ log π − log π_old over the counted tokens of a row.
    private static double Difference<T>(in Memory<T> memory, long start)
        where T : unmanaged
    {
        var sum = V.Zero;
        for (long i = 0; i < memory.Columns; i += Lanes.Count)
        {
            long place = start + i,
                count = memory.Columns - i;
            sum += Lanes.Where(
                Lanes.NotZero(memory.Mask.Load(place, count)),
                Lanes.Load(memory.LogProbs + place, count) - Lanes.Load(memory.OldLogProbs + place, count)
            );
        }
        return Vector256.Sum(sum);
    }

    // Every counted token moves the ratio of its row.
    private static void Spread<T>(in Memory<T> memory, long start, V addend)
        where T : unmanaged
    {
        for (long i = 0; i < memory.Columns; i += Lanes.Count)
        {
            long place = start + i,
                count = memory.Columns - i;
            var added = Lanes.Where(Lanes.NotZero(memory.Mask.Load(place, count)), addend);
            Lanes.Store(memory.Gradient + place, Lanes.Load(memory.Gradient + place, count) + added, count);
        }
    }
}
