using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PostTrain.Operators;

/// <summary>(x − mean) / √(variance + ε) · w + b of a row in memory.</summary>
internal static unsafe class LayerNormKernel
{
    /// <summary>Writes a row; <paramref name="y"/> may be <paramref name="x"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Row<T>(T* x, T* weight, T* bias, T* y, int width, double epsilon)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        Vector256<T> sum = default,
            squares = default;
        for (int i = 0; i < width; i += Vector256<T>.Count)
            sum += VectorMath.Load(x + i, width - i);
        var mean = Vector256.Create(Vector256.Sum(sum) / VectorMath.Number<T>(width));
        for (int i = 0; i < width; i += Vector256<T>.Count)
        {
            // Lanes behind the row would count as −mean.
            var distance = width - i >= Vector256<T>.Count ? Vector256.Load(x + i) - mean : Rest(x + i, width - i, mean);
            squares = VectorMath.MultiplyAdd(distance, distance, squares);
        }
        double variance = double.CreateTruncating(Vector256.Sum(squares)) / width;
        var scale = Vector256.Create(VectorMath.Number<T>(1 / Math.Sqrt(variance + epsilon)));
        for (int i = 0; i < width; i += Vector256<T>.Count)
        {
            int left = width - i;
            var normal = (VectorMath.Load(x + i, left) - mean) * scale;
            VectorMath.Store(
                y + i,
                VectorMath.MultiplyAdd(normal, VectorMath.Load(weight + i, left), VectorMath.Load(bias + i, left)),
                left
            );
        }
    }

    private static Vector256<T> Rest<T>(T* x, int count, Vector256<T> mean)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        var distance = VectorMath.Load(x, count) - mean;
        for (int lane = count; lane < Vector256<T>.Count; lane++)
            distance = distance.WithElement(lane, T.Zero);
        return distance;
    }
}
