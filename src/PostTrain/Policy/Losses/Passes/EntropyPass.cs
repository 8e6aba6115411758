using System.Runtime.Intrinsics;
using PostTrain.Numerics;
using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Policy.Losses;

/// <summary>An aggregate of entropies times a factor, with its gradient.</summary>
internal static unsafe class EntropyPass
{
    /// <summary>factor·agg[H] and its gradient, [B,T].</summary>
    internal static (double Value, Tensor Gradient) Run(
        Tensor entropy,
        Tensor mask,
        LossAggregation aggregation,
        double? denominator,
        double factor
    ) =>
        entropy.dtype == ScalarType.Float32
            ? Run<float>(entropy, mask, aggregation, denominator, factor)
            : Run<double>(entropy, mask, aggregation, denominator, factor);

    private static (double Value, Tensor Gradient) Run<T>(
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
