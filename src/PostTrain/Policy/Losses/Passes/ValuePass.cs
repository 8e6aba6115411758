using System.Runtime.Intrinsics;
using PostTrain.Numerics;
using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Policy.Losses;

/// <summary>The value loss with its gradient over rows of tokens, in float64.</summary>
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
        return new PolicyResult(total / weights.Divisor, losses, gradient, cuts / Math.Max(number, 1), 0, 0);
    }
}
