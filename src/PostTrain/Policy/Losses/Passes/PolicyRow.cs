using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using PostTrain.Numerics;
using PostTrain.Operators;

namespace PostTrain.Policy.Losses;

/// <summary>Sums over the counted tokens of a row.</summary>
internal struct PolicySums
{
    internal double Loss,
        Cut,
        OldKl,
        Kl,
        Count;
}

/// <summary>Memory that the policy kernels read and write.</summary>
internal unsafe struct PolicyMemory<T>
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

/// <summary>The loops of the policy kernels over the tokens of a row, each simple enough for registers: surrogate, KL term.</summary>
internal static unsafe class PolicyRow<T, TForm>
    where T : unmanaged, IFloatingPointIeee754<T>
    where TForm : struct, ISurrogateForm<T>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static PolicySums Run(PolicyCall call, TForm form, in PolicyMemory<T> memory, long row)
    {
        long columns = memory.Columns,
            start = row * columns;
        double weight = memory.TokenWeights.OfRow(memory.Mask, start, columns),
            scale = weight / memory.TokenWeights.Divisor;
        var ratio = new RowRatio(call.Level, in memory, start);
        var sums = Surrogate(form, in memory, row, scale, in ratio, out var slope);
        if (memory.Reference != null)
            Penalise(call, in memory, start, scale, in ratio, ref sums, ref slope);
        if (ratio.Spreads)
            Spread(in memory, start, slope * ratio.Share * scale);
        sums.Loss *= weight;
        return sums;
    }

    // Losses and gradients; the sum of the slopes where they are those of the row's ratio.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static PolicySums Surrogate(
        TForm form,
        in PolicyMemory<T> memory,
        long row,
        double scale,
        in RowRatio rowRatio,
        out double slope
    )
    {
        var losses = default(WideSum<T>);
        Vector256<T> scales = VectorMath.All<T>(scale),
            cut = Vector256<T>.Zero,
            oldKl = cut,
            number = cut,
            slopes = cut,
            beyond = cut;
        long end = (row + 1) * memory.Columns,
            i = row * memory.Columns;
        for (; i <= end - Vector256<T>.Count; i += Vector256<T>.Count)
            Tokens(
                form,
                in memory,
                row,
                i,
                Vector256<T>.Count,
                scales,
                in rowRatio,
                ref losses,
                ref cut,
                ref oldKl,
                ref number,
                ref slopes,
                ref beyond
            );
        if (i < end)
            Tokens(
                form,
                in memory,
                row,
                i,
                end - i,
                scales,
                in rowRatio,
                ref losses,
                ref cut,
                ref oldKl,
                ref number,
                ref slopes,
                ref beyond
            );
        slope = VectorMath.Sum(slopes);
        return new PolicySums
        {
            Loss = losses.Total,
            Cut = VectorMath.Sum(cut),
            // Within the bound the divergence from the old policy shares the ratio's exponential.
            OldKl = Vector256.ExtractMostSignificantBits(beyond) == 0 ? VectorMath.Sum(oldKl) : OldKl(in memory, row),
            Count = VectorMath.Sum(number),
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Tokens(
        TForm form,
        in PolicyMemory<T> memory,
        long row,
        long place,
        long count,
        Vector256<T> scale,
        in RowRatio rowRatio,
        ref WideSum<T> losses,
        ref Vector256<T> cuts,
        ref Vector256<T> oldKls,
        ref Vector256<T> numbers,
        ref Vector256<T> slopes,
        ref Vector256<T> beyonds
    )
    {
        Vector256<T> number = memory.Mask.Vector(place, count),
            counted = VectorMath.NotZero(number),
            current = VectorMath.Load(memory.LogProbs + place, count) & counted,
            old = VectorMath.Load(memory.OldLogProbs + place, count) & counted,
            difference = current - old,
            beyond = RowRatio.Beyond(difference);
        beyonds |= beyond;
        numbers += number;
        var lanes = new SurrogateLanes<T>
        {
            LogProbs = current,
            OldLogProbs = old,
            Ratio = VectorMath.ExpWithin(VectorMath.Bounded(difference, KlDivergence.RatioBound), out _, out var oldKl),
            Advantages = memory.Advantages.Vector(row, place, count) & counted,
        };
        oldKls += oldKl;
        if (rowRatio.IsPresent)
        {
            lanes.Ratio = rowRatio.Where(counted);
            beyond = rowRatio.IsBeyond & counted;
        }
        form.Of(in lanes, out var loss, out var slope, out var direct, out var cut);
        cuts += cut & counted & Vector256<T>.One;
        if (memory.Weights.IsPresent || memory.Corrections.IsPresent)
        {
            var factor = (memory.Weights.Vector(row, place, count) * memory.Corrections.Vector(row, place, count)) & counted;
            (loss, slope, direct) = (loss * factor, slope * factor, direct * factor);
        }
        // Beyond its bound ρ has no gradient.
        slope = Vector256.AndNot(slope, beyond) & counted;
        if (rowRatio.Spreads)
            slopes += slope;
        else
            direct += slope;
        loss &= counted;
        losses.Add(loss);
        VectorMath.Store(memory.Losses + place, loss, count);
        VectorMath.Store(memory.Gradient + place, (direct * scale) & counted, count);
    }

    // Σ (e^x − 1 − x), x = log π − log π_old.
    private static double OldKl(in PolicyMemory<T> memory, long row)
    {
        var sum = default(WideSum<T>);
        long end = (row + 1) * memory.Columns;
        for (long i = row * memory.Columns; i < end; i += Vector256<T>.Count)
            sum.Add(
                KlLanes.Rest(
                    (VectorMath.Load(memory.LogProbs + i, end - i) - VectorMath.Load(memory.OldLogProbs + i, end - i))
                        & VectorMath.NotZero(memory.Mask.Vector(i, end - i)),
                    out _
                )
            );
        return sum.Total;
    }

    // Adds β times the estimates and their gradients.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Penalise(
        PolicyCall call,
        in PolicyMemory<T> memory,
        long start,
        double scale,
        in RowRatio rowRatio,
        ref PolicySums sums,
        ref double slope
    )
    {
        Vector256<T> beta = VectorMath.All<T>(call.Beta),
            scaledBeta = VectorMath.All<T>(call.Beta * scale),
            slopes = Vector256<T>.Zero;
        var sum = default(WideSum<T>);
        bool adds = call.Beta > 0;
        long end = start + memory.Columns;
        for (long i = start; i < end; i += Vector256<T>.Count)
        {
            long count = end - i;
            Vector256<T> counted = VectorMath.NotZero(memory.Mask.Vector(i, count)),
                current = VectorMath.Load(memory.LogProbs + i, count),
                distance = (current - VectorMath.Load(memory.Reference + i, count)) & counted;
            KlLanes.Of(call.Estimator, distance, out var estimate, out var direct);
            if (call.CorrectKl)
            {
                var difference = (current - VectorMath.Load(memory.OldLogProbs + i, count)) & counted;
                var ratio = rowRatio.IsPresent
                    ? rowRatio.Where(counted)
                    : VectorMath.Exp(VectorMath.Bounded(difference, KlDivergence.RatioBound));
                (estimate, direct) = (estimate * ratio, direct * ratio);
                // Beyond its bound ρ has no gradient.
                var ofRatio = Vector256.AndNot(estimate, rowRatio.IsPresent ? rowRatio.IsBeyond : RowRatio.Beyond(difference)) & counted;
                if (rowRatio.Spreads)
                    slopes += ofRatio;
                else
                    direct += ofRatio;
            }
            estimate &= counted;
            sum.Add(estimate);
            if (!adds)
                continue;
            VectorMath.Store(memory.Losses + i, VectorMath.Load(memory.Losses + i, count) + beta * estimate, count);
            VectorMath.Store(memory.Gradient + i, VectorMath.Load(memory.Gradient + i, count) + ((direct * scaledBeta) & counted), count);
        }
        sums.Kl = sum.Total;
        if (!adds)
            return;
        sums.Loss += call.Beta * sums.Kl;
        slope += call.Beta * VectorMath.Sum(slopes);
    }

    // Every counted token moves the ratio of its row.
    private static void Spread(in PolicyMemory<T> memory, long start, double addend)
    {
        long end = start + memory.Columns;
        for (long i = start; i < end; i += Vector256<T>.Count)
        {
            var added = VectorMath.All<T>(addend) & VectorMath.NotZero(memory.Mask.Vector(i, end - i));
            VectorMath.Store(memory.Gradient + i, VectorMath.Load(memory.Gradient + i, end - i) + added, end - i);
        }
    }

    /// <summary>The ratio of a whole row, where its level is not the token.</summary>
    private readonly struct RowRatio
    {
        private readonly Vector256<T> ratio;

        internal RowRatio(RatioLevel level, in PolicyMemory<T> memory, long start)
        {
            if (level == RatioLevel.Token)
                return;
            IsPresent = true;
            Spreads = level is RatioLevel.Sequence or RatioLevel.SequenceSum;
            double length = level == RatioLevel.SequenceSum ? 1 : Math.Max(memory.Mask.Number(start, memory.Columns), 1);
            Share = 1 / length;
            var logRatio = VectorMath.All<T>(Difference(in memory, start) / length);
            IsBeyond = Beyond(logRatio);
            ratio = VectorMath.Exp(VectorMath.Bounded(logRatio, KlDivergence.RatioBound));
        }

        internal bool IsPresent { get; }

        /// <summary>True if every token moves the ratio.</summary>
        internal bool Spreads { get; }

        /// <summary>The derivative of the row's log ρ by a token's log π.</summary>
        internal double Share { get; }

        /// <summary>Whether log ρ is outside of its bound, as a mask.</summary>
        internal Vector256<T> IsBeyond { get; }

        /// <summary>The ratio of counted tokens, 1 elsewhere.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal Vector256<T> Where(Vector256<T> counted) => Vector256.ConditionalSelect(counted, ratio, Vector256<T>.One);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal static Vector256<T> Beyond(Vector256<T> logRatio) =>
            Vector256.GreaterThan(Vector256.Abs(logRatio), VectorMath.All<T>(KlDivergence.RatioBound));

        // Σ log π − log π_old over the counted tokens.
        private static double Difference(in PolicyMemory<T> memory, long start)
        {
            var sum = default(WideSum<T>);
            long end = start + memory.Columns;
            for (long i = start; i < end; i += Vector256<T>.Count)
                sum.Add(
                    (VectorMath.Load(memory.LogProbs + i, end - i) - VectorMath.Load(memory.OldLogProbs + i, end - i))
                        & VectorMath.NotZero(memory.Mask.Vector(i, end - i))
                );
            return sum.Total;
        }
    }
}
