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
    internal static PolicySums Run(PolicyCall call, TForm form, in PolicyMemory<T> memory, long row) =>
        call.Level == RatioLevel.Token
            ? Run(call, form, default(TokenRatio<T>), in memory, row)
            : Run(call, form, new RowRatio<T>(call.Level, in memory, row * memory.Columns), in memory, row);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static PolicySums Run<TRatio>(PolicyCall call, TForm form, TRatio ratio, in PolicyMemory<T> memory, long row)
        where TRatio : struct, IRatioForm<T>
    {
        long columns = memory.Columns,
            start = row * columns;
        double weight = memory.TokenWeights.OfRow(memory.Mask, start, columns),
            scale = weight / memory.TokenWeights.Divisor;
        var sums = Surrogate(form, ratio, in memory, row, scale, out var slope);
        if (memory.Reference != null)
            Penalise(call, ratio, in memory, start, scale, ref sums, ref slope);
        if (ratio.Spreads)
            Spread(in memory, start, slope * ratio.Share * scale);
        sums.Loss *= weight;
        return sums;
    }

    // Losses and gradients; the sum of the slopes where they are those of the row's ratio.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static PolicySums Surrogate<TRatio>(
        TForm form,
        TRatio ratio,
        in PolicyMemory<T> memory,
        long row,
        double scale,
        out double slope
    )
        where TRatio : struct, IRatioForm<T>
    {
        var totals = default(Totals);
        var scales = VectorMath.All<T>(scale);
        bool weighted = memory.Weights.IsPresent || memory.Corrections.IsPresent;
        long start = row * memory.Columns,
            end = start + memory.Columns,
            whole = end - Vector256<T>.Count,
            i = start;
        // Ratios first, into the memory of the gradients: two loops of short chains are faster than one of a long chain.
        if (typeof(T) == typeof(float))
        {
            i = WidePolicyRow.Ratios(
                in Unsafe.As<PolicyMemory<T>, PolicyMemory<float>>(ref Unsafe.AsRef(in memory)),
                i,
                end,
                out var beyond,
                out var oldKl
            );
            (totals.Beyond, totals.OldKl) = (beyond.As<float, T>(), oldKl.As<float, T>());
        }
        for (; i <= whole; i += Vector256<T>.Count)
            Ratios(in memory, i, Vector256<T>.Count, ref totals);
        if (i < end)
            Ratios(in memory, i, end - i, ref totals);
        bool bounded = Vector256.ExtractMostSignificantBits(totals.Beyond) != 0;
        for (i = start; i <= whole; i += Vector256<T>.Count)
            Losses(form, ratio, in memory, row, i, Vector256<T>.Count, scales, weighted, bounded, ref totals);
        if (i < end)
            Losses(form, ratio, in memory, row, i, end - i, scales, weighted, bounded, ref totals);
        slope = VectorMath.Sum(totals.Slopes);
        return new PolicySums
        {
            Loss = totals.Losses.Total,
            Cut = VectorMath.Sum(totals.Cut),
            // Within the bound the divergence from the old policy shares the ratio's exponential.
            OldKl = bounded ? OldKl(in memory, row) : VectorMath.Sum(totals.OldKl),
            Count = memory.Mask.Sum(start, memory.Columns),
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Ratios(in PolicyMemory<T> memory, long place, long count, ref Totals totals)
    {
        var difference =
            (VectorMath.Load(memory.LogProbs + place, count) - VectorMath.Load(memory.OldLogProbs + place, count))
            & memory.Mask.Counted(place, count);
        totals.Beyond |= TokenRatio<T>.Beyond(difference);
        VectorMath.Store(memory.Gradient + place, TokenRatio<T>.Of(difference, out var oldKl), count);
        totals.OldKl += oldKl;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Losses<TRatio>(
        TForm form,
        TRatio ratio,
        in PolicyMemory<T> memory,
        long row,
        long place,
        long count,
        Vector256<T> scale,
        bool weighted,
        bool bounded,
        ref Totals totals
    )
        where TRatio : struct, IRatioForm<T>
    {
        Vector256<T> counted = memory.Mask.Counted(place, count),
            current = VectorMath.Load(memory.LogProbs + place, count) & counted,
            old = VectorMath.Load(memory.OldLogProbs + place, count) & counted,
            beyond = bounded ? TokenRatio<T>.Beyond(current - old) : Vector256<T>.Zero;
        var lanes = new SurrogateLanes<T>
        {
            LogProbs = current,
            OldLogProbs = old,
            Ratio = VectorMath.Load(memory.Gradient + place, count),
            Advantages = memory.Advantages.Vector(row, place, count) & counted,
        };
        ratio.Replace(counted, ref lanes.Ratio, ref beyond);
        form.Of(in lanes, out var loss, out var slope, out var direct, out var cut);
        totals.Cut += cut & counted & Vector256<T>.One;
        if (weighted)
        {
            var factor = (memory.Weights.Vector(row, place, count) * memory.Corrections.Vector(row, place, count)) & counted;
            (loss, slope, direct) = (loss * factor, slope * factor, direct * factor);
        }
        // Beyond its bound ρ has no gradient.
        slope = Vector256.AndNot(slope, beyond) & counted;
        if (ratio.Spreads)
            totals.Slopes += slope;
        else
            direct += slope;
        loss &= counted;
        totals.Losses.Add(loss);
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
                        & memory.Mask.Counted(i, end - i),
                    out _
                )
            );
        return sum.Total;
    }

    // Adds β times the estimates and their gradients.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Penalise<TRatio>(
        PolicyCall call,
        TRatio ratio,
        in PolicyMemory<T> memory,
        long start,
        double scale,
        ref PolicySums sums,
        ref double slope
    )
        where TRatio : struct, IRatioForm<T>
    {
        Vector256<T> beta = VectorMath.All<T>(call.Beta),
            scaledBeta = VectorMath.All<T>(call.Beta * scale),
            slopes = Vector256<T>.Zero;
        var sum = default(WideSum<T>);
        double first = 0;
        long end = start + memory.Columns,
            i = start;
        if (typeof(T) == typeof(float) && call is { Estimator: KlEstimator.K3, CorrectKl: false, Beta: > 0 })
            i = WidePolicyRow.Penalise(
                in Unsafe.As<PolicyMemory<T>, PolicyMemory<float>>(ref Unsafe.AsRef(in memory)),
                i,
                end,
                (float)call.Beta,
                (float)(call.Beta * scale),
                out first
            );
        for (; i <= end - Vector256<T>.Count; i += Vector256<T>.Count)
            Term(call, ratio, in memory, i, Vector256<T>.Count, beta, scaledBeta, ref sum, ref slopes);
        if (i < end)
            Term(call, ratio, in memory, i, end - i, beta, scaledBeta, ref sum, ref slopes);
        sums.Kl = first + sum.Total;
        if (!(call.Beta > 0))
            return;
        sums.Loss += call.Beta * sums.Kl;
        slope += call.Beta * VectorMath.Sum(slopes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Term<TRatio>(
        PolicyCall call,
        TRatio ratio,
        in PolicyMemory<T> memory,
        long i,
        long count,
        Vector256<T> beta,
        Vector256<T> scaledBeta,
        ref WideSum<T> sum,
        ref Vector256<T> slopes
    )
        where TRatio : struct, IRatioForm<T>
    {
        Vector256<T> counted = memory.Mask.Counted(i, count),
            current = VectorMath.Load(memory.LogProbs + i, count),
            distance = (current - VectorMath.Load(memory.Reference + i, count)) & counted;
        KlLanes.Of(call.Estimator, distance, out var estimate, out var direct);
        if (call.CorrectKl)
        {
            var difference = (current - VectorMath.Load(memory.OldLogProbs + i, count)) & counted;
            Vector256<T> factor = TokenRatio<T>.Of(difference, out _),
                beyond = TokenRatio<T>.Beyond(difference);
            ratio.Replace(counted, ref factor, ref beyond);
            (estimate, direct) = (estimate * factor, direct * factor);
            // Beyond its bound ρ has no gradient.
            var ofRatio = Vector256.AndNot(estimate, beyond) & counted;
            if (ratio.Spreads)
                slopes += ofRatio;
            else
                direct += ofRatio;
        }
        estimate &= counted;
        sum.Add(estimate);
        if (!(call.Beta > 0))
            return;
        VectorMath.Store(memory.Losses + i, VectorMath.Load(memory.Losses + i, count) + beta * estimate, count);
        VectorMath.Store(memory.Gradient + i, VectorMath.Load(memory.Gradient + i, count) + ((direct * scaledBeta) & counted), count);
    }

    // Every counted token moves the ratio of its row.
    private static void Spread(in PolicyMemory<T> memory, long start, double addend)
    {
        long end = start + memory.Columns;
        for (long i = start; i < end; i += Vector256<T>.Count)
        {
            var added = VectorMath.All<T>(addend) & memory.Mask.Counted(i, end - i);
            VectorMath.Store(memory.Gradient + i, VectorMath.Load(memory.Gradient + i, end - i) + added, end - i);
        }
    }

    // Running sums of a loop.
    private ref struct Totals
    {
        internal WideSum<T> Losses;
        internal Vector256<T> Cut,
            OldKl,
            Slopes,
            Beyond;
    }
}
