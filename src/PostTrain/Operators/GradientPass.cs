using System.Numerics;
using System.Runtime.Intrinsics;

namespace PostTrain.Operators;

/// <summary>The norm of many tensors, and their scaling.</summary>
internal static unsafe class GradientPass
{
    private const int PartLength = 1 << 16;

    /// <summary>Σ x² over all of them, in float64; a sum a part, added up in the parts' order.</summary>
    internal static double SquaredNorm<T>(MemoryList tensors)
        where T : unmanaged
    {
        double[] parts = new double[tensors.Parts(PartLength)];
        tensors.Run(
            PartLength,
            (index, start, length, part) =>
            {
                T* from = tensors.At<T>(index) + start;
                var (even, odd) = (Vector256<double>.Zero, Vector256<double>.Zero);
                for (long i = 0; i < length; i += 2 * Lanes.Count)
                {
                    var x = Lanes.Load(from + i, length - i);
                    even += x * x;
                    if (i + Lanes.Count >= length)
                        continue;
                    var y = Lanes.Load(from + i + Lanes.Count, length - i - Lanes.Count);
                    odd += y * y;
                }
                parts[part] = Vector256.Sum(even + odd);
            }
        );
        double sum = 0;
        foreach (double part in parts)
            sum += part;
        return sum;
    }

    /// <summary>x ← factor·x.</summary>
    internal static void Scale<T>(MemoryList tensors, T factor)
        where T : unmanaged, IFloatingPointIeee754<T> =>
        tensors.Run(
            PartLength,
            (index, start, length) =>
            {
                T* from = tensors.At<T>(index) + start;
                int i = 0;
                for (; i <= length - Vector256<T>.Count; i += Vector256<T>.Count)
                    (Vector256.Load(from + i) * factor).Store(from + i);
                for (; i < length; i++)
                    from[i] *= factor;
            }
        );
}
