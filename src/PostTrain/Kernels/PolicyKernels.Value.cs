using System.Runtime.Intrinsics;
using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Policy;
using PostTrain.Policy.Losses;
using TorchSharp;
using static TorchSharp.torch;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Kernels;

public static unsafe partial class PolicyKernels
{
    /// <summary>Value loss, as <see cref="PolicyLosses.Value"/>.</summary>
    /// <param name="values">V, [B,T].</param>
    /// <param name="oldValues">V at sampling time, [B,T].</param>
    /// <param name="returns">R, [B,T].</param>
    /// <param name="mask">[B,T]; 1 where the token counts.</param>
    /// <param name="clip">ε, at least 0; no clipping when null.</param>
    /// <param name="aggregation">Token mean when null.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch where this is a part of it; its own when null.</param>
    /// <exception cref="ArgumentException">Shapes do not agree; the message names both.</exception>
    public static ValueLossWithGradient Value(
        Tensor values,
        Tensor oldValues,
        Tensor returns,
        Tensor mask,
        double? clip = null,
        LossAggregation? aggregation = null,
        double? denominator = null
    )
    {
        Guard.Rank(values, nameof(values), 2, "[B,T]");
        var type = KernelGuard.Number(values, nameof(values));
        KernelGuard.SameShape(oldValues, nameof(oldValues), values, nameof(values));
        KernelGuard.SameShape(returns, nameof(returns), values, nameof(values));
        KernelGuard.SameShape(mask, nameof(mask), values, nameof(values));
        ClosedForms.Check(aggregation);
        if (clip is { } range)
            Guard.NotNegative(range, nameof(clip));
        if (denominator is { } given)
            Guard.NotNegative(given, nameof(denominator));
        return type == ScalarType.Float32
            ? Value<float>(values, oldValues, returns, mask, clip, aggregation, denominator)
            : Value<double>(values, oldValues, returns, mask, clip, aggregation, denominator);
    }

    private static ValueLossWithGradient Value<T>(
        Tensor values,
        Tensor oldValues,
        Tensor returns,
        Tensor mask,
        double? clip,
        LossAggregation? aggregation,
        double? denominator
    )
        where T : unmanaged
    {
        Tensor losses = TensorMemory.Fresh(values),
            gradient = TensorMemory.Fresh(values);
        using var value = new NumberSource<T>(values);
        using var old = new NumberSource<T>(oldValues);
        using var target = new NumberSource<T>(returns);
        using var counts = new MaskSource<T>(mask);
        T* v = value.Pointer,
            o = old.Pointer,
            r = target.Pointer,
            l = TensorMemory.Address<T>(losses),
            g = TensorMemory.Address<T>(gradient);
        var m = counts.Pointer;
        var weights = TokenWeights.Of(aggregation, denominator, mask, m);
        long columns = values.size(1);
        double range = clip ?? double.PositiveInfinity;
        var sums = new (double Loss, double Cut, double Count)[values.size(0)];
        Workers.Run(
            sums.Length,
            values.numel(),
            row =>
            {
                double weight = weights.OfRow(m, row * columns, columns);
                V scale = Vector256.Create(weight / weights.Divisor),
                    epsilon = Vector256.Create(range),
                    half = Vector256.Create(0.5);
                V lossSum = V.Zero,
                    cutSum = V.Zero,
                    countSum = V.Zero;
                for (long i = 0; i < columns; i += Lanes.Count)
                {
                    long place = row * columns + i,
                        count = columns - i;
                    V number = m.Load(place, count),
                        counted = Lanes.NotZero(number);
                    V now = Lanes.Load(v + place, count),
                        before = Lanes.Load(o + place, count),
                        wanted = Lanes.Load(r + place, count);
                    V error = now - wanted,
                        free = error * error,
                        change = now - before;
                    var cut = Vector256.GreaterThan(Vector256.Abs(change), epsilon);
                    var nearest = before + Vector256.ConditionalSelect(Vector256.GreaterThan(change, V.Zero), epsilon, -epsilon) - wanted;
                    var bounded = nearest * nearest;
                    // Where the bound is the larger loss it is a constant.
                    cut &= Vector256.GreaterThan(bounded, free) & counted;
                    var loss = Lanes.Where(counted, half * Vector256.ConditionalSelect(cut, bounded, free));
                    lossSum += loss;
                    cutSum += Lanes.Where(cut, V.One);
                    countSum += number;
                    Lanes.Store(l + place, loss, count);
                    Lanes.Store(g + place, Lanes.Where(Vector256.AndNot(counted, cut), error * scale), count);
                }
                sums[row] = (Vector256.Sum(lossSum) * weight, Vector256.Sum(cutSum), Vector256.Sum(countSum));
            }
        );
        var (total, cuts, number) = (0.0, 0.0, 0.0);
        foreach (var row in sums)
            (total, cuts, number) = (total + row.Loss, cuts + row.Cut, number + row.Count);
        return new ValueLossWithGradient(total / weights.Divisor, losses, gradient, cuts / Math.Max(number, 1));
    }

    // factor·agg[H] and its gradient.
    private static (double Value, Tensor Gradient) Entropy(
        Tensor entropy,
        Tensor mask,
        LossAggregation aggregation,
        double? denominator,
        double factor
    )
    {
        Guard.Rank(entropy, nameof(entropy), 2, "[B,T]");
        var type = KernelGuard.Number(entropy, nameof(entropy));
        KernelGuard.SameShape(mask, nameof(mask), entropy, nameof(entropy));
        return type == ScalarType.Float32
            ? Entropy<float>(entropy, mask, aggregation, denominator, factor)
            : Entropy<double>(entropy, mask, aggregation, denominator, factor);
    }

    private static (double Value, Tensor Gradient) Entropy<T>(
        Tensor entropy,
        Tensor mask,
        LossAggregation aggregation,
        double? denominator,
        double factor
    )
        where T : unmanaged
    {
        var gradient = TensorMemory.Fresh(entropy);
        using var source = new NumberSource<T>(entropy);
        using var counts = new MaskSource<T>(mask);
        var g = TensorMemory.Address<T>(gradient);
        var weights = TokenWeights.Of(aggregation, denominator, mask, counts.Pointer);
        long columns = entropy.size(1);
        double total = 0;
        for (long row = 0; row < entropy.size(0); row++)
        {
            double weight = weights.OfRow(counts.Pointer, row * columns, columns) * factor / weights.Divisor;
            var sum = V.Zero;
            for (long i = 0; i < columns; i += Lanes.Count)
            {
                long place = row * columns + i,
                    count = columns - i;
                var counted = Lanes.NotZero(counts.Pointer.Load(place, count));
                sum += Lanes.Where(counted, Lanes.Load(source.Pointer + place, count));
                Lanes.Store(g + place, Lanes.Where(counted, Vector256.Create(weight)), count);
            }
            total += Vector256.Sum(sum) * weight;
        }
        return (total, gradient);
    }
}
