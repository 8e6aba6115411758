using System.Numerics;
using System.Runtime.Intrinsics;
using PostTrain.Numerics;
using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Losses;

/// <summary>The value loss with its gradient over rows of tokens; sums in float64.</summary>
internal static unsafe class ValuePass
{
    /// <summary>Runs over CPU memory; results are fresh tensors of the caller's scope.</summary>
    internal static PolicyResult Run(
        Tensor values,
        Tensor oldValues,
        Tensor returns,
        Tensor mask,
        double? clip,
        LossAggregation? aggregation,
        double? denominator
    ) =>
        values.dtype == ScalarType.Float32
            ? Run<float>(values, oldValues, returns, mask, clip, aggregation, denominator)
            : Run<double>(values, oldValues, returns, mask, clip, aggregation, denominator);

    private static PolicyResult Run<T>(
        Tensor values,
        Tensor oldValues,
        Tensor returns,
        Tensor mask,
        double? clip,
        LossAggregation? aggregation,
        double? denominator
    )
        where T : unmanaged, IFloatingPointIeee754<T>
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
                Vector256<T> scale = VectorMath.All<T>(weight / weights.Divisor),
                    epsilon = VectorMath.All<T>(range),
                    half = VectorMath.All<T>(0.5);
                var lossSum = default(WideSum<T>);
                Vector256<T> cutSum = Vector256<T>.Zero,
                    countSum = cutSum;
                for (long i = 0; i < columns; i += Vector256<T>.Count)
                {
                    long place = row * columns + i,
                        count = columns - i;
                    Vector256<T> number = m.Vector(place, count),
                        counted = VectorMath.NotZero(number);
                    Vector256<T> now = VectorMath.Load(v + place, count),
                        before = VectorMath.Load(o + place, count),
                        wanted = VectorMath.Load(r + place, count);
                    Vector256<T> error = now - wanted,
                        free = error * error,
                        change = now - before;
                    var cut = Vector256.GreaterThan(Vector256.Abs(change), epsilon);
                    var nearest =
                        before + Vector256.ConditionalSelect(Vector256.GreaterThan(change, Vector256<T>.Zero), epsilon, -epsilon) - wanted;
                    var bounded = nearest * nearest;
                    // Where the bound is the larger loss it is a constant.
                    cut &= Vector256.GreaterThan(bounded, free) & counted;
                    var loss = half * Vector256.ConditionalSelect(cut, bounded, free) & counted;
                    lossSum.Add(loss);
                    cutSum += cut & Vector256<T>.One;
                    countSum += number;
                    VectorMath.Store(l + place, loss, count);
                    VectorMath.Store(g + place, error * scale & Vector256.AndNot(counted, cut), count);
                }
                sums[row] = (lossSum.Total * weight, VectorMath.Sum(cutSum), VectorMath.Sum(countSum));
            }
        );
        var (total, cuts, number) = (0.0, 0.0, 0.0);
        foreach (var row in sums)
            (total, cuts, number) = (total + row.Loss, cuts + row.Cut, number + row.Count);
        return new PolicyResult(total / weights.Divisor, losses, gradient, cuts / Math.Max(number, 1), 0, 0);
    }
}
