using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PostTrain.Operators;

/// <summary>Numbers of each token or of each row, or 1 everywhere.</summary>
internal readonly unsafe struct SignalPointer<T>(T* numbers, bool perRow)
    where T : unmanaged
{
    private readonly T* numbers = numbers;

    internal bool IsPresent => numbers != null;

    /// <summary>A vector of values from place <paramref name="i"/> of row <paramref name="row"/> on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Vector256<T> Vector(long row, long i, long count) =>
        numbers == null ? Vector256<T>.One
        : perRow ? Vector256.Create(numbers[row])
        : VectorMath.Load(numbers + i, count);
}
