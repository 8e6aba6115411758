using System.Numerics;
using System.Runtime.Intrinsics;
using PostTrain.Numerics;
using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

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
        where T : unmanaged, IFloatingPointIeee754<T>
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
            var sum = default(WideSum<T>);
            for (long i = 0; i < columns; i += Vector256<T>.Count)
            {
                long place = row * columns + i,
                    count = columns - i;
                var counted = VectorMath.NotZero(counts.Pointer.Vector(place, count));
                sum.Add(VectorMath.Load(source.Pointer + place, count) & counted);
                VectorMath.Store(g + place, VectorMath.All<T>(weight) & counted, count);
            }
            total += sum.Total * weight;
        }
        return (total, gradient);
    }
}
