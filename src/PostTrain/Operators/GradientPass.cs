using System.Numerics;
using System.Runtime.CompilerServices;
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
                parts[part] = SquaredNorm(tensors.At<T>(index) + start, length);
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
        tensors.Run(PartLength, (index, start, length) => Scale(tensors.At<T>(index) + start, length, factor));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double SquaredNorm<T>(T* from, int length)
        where T : unmanaged
    {
        // Four sums, so that the additions do not wait for each other.
        Vector256<double> first = Vector256<double>.Zero,
            second = first,
            third = first,
            fourth = first;
        int i = 0;
        for (; i <= length - 4 * Lanes.Count; i += 4 * Lanes.Count)
        {
            Vector256<double> a = Lanes.Load(from + i, Lanes.Count),
                b = Lanes.Load(from + i + Lanes.Count, Lanes.Count),
                c = Lanes.Load(from + i + 2 * Lanes.Count, Lanes.Count),
                d = Lanes.Load(from + i + 3 * Lanes.Count, Lanes.Count);
            first = Vector256.FusedMultiplyAdd(a, a, first);
            second = Vector256.FusedMultiplyAdd(b, b, second);
            third = Vector256.FusedMultiplyAdd(c, c, third);
            fourth = Vector256.FusedMultiplyAdd(d, d, fourth);
        }
        for (; i < length; i += Lanes.Count)
        {
            var rest = Lanes.Load(from + i, length - i);
            first = Vector256.FusedMultiplyAdd(rest, rest, first);
        }
        return Vector256.Sum(first + second + (third + fourth));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scale<T>(T* from, int length, T factor)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        int i = 0;
        for (; i <= length - Vector256<T>.Count; i += Vector256<T>.Count)
            (Vector256.Load(from + i) * factor).Store(from + i);
        for (; i < length; i++)
            from[i] *= factor;
    }
}
