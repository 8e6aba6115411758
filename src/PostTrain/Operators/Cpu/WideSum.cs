using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PostTrain.Operators;

/// <summary>A running sum of vectors of float32 or float64, in float64.</summary>
internal struct WideSum<T>
    where T : unmanaged
{
    private Vector256<double> lower,
        upper;

    /// <summary>Adds all lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Add(Vector256<T> values)
    {
        if (typeof(T) == typeof(double))
        {
            lower += values.AsDouble();
            return;
        }
        var (first, second) = Vector256.Widen(values.AsSingle());
        lower += first;
        upper += second;
    }

    /// <summary>The sum.</summary>
    internal readonly double Total => Vector256.Sum(lower + upper);
}
