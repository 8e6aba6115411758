using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary>A mask in memory: flags, or numbers of type <typeparamref name="T"/> into which other types are copied.</summary>
internal readonly unsafe ref struct MaskSource<T> : IDisposable
    where T : unmanaged
{
    private readonly NumberSource<bool> flags;
    private readonly NumberSource<T> numbers;

    /// <param name="mask">Null for one that is not there and may not be read.</param>
    internal MaskSource(Tensor? mask)
    {
        if (mask is null)
            return;
        if (mask.dtype == ScalarType.Bool)
        {
            flags = new NumberSource<bool>(mask);
            Pointer = new MaskPointer<T>(flags.Pointer, null);
        }
        else
        {
            numbers = new NumberSource<T>(mask);
            Pointer = new MaskPointer<T>(null, numbers.Pointer);
        }
    }

    internal MaskPointer<T> Pointer { get; }

    public void Dispose()
    {
        flags.Dispose();
        numbers.Dispose();
    }
}

/// <summary>The values of a mask, for a kernel's loop.</summary>
internal readonly unsafe struct MaskPointer<T>(bool* flags, T* numbers)
    where T : unmanaged
{
    private readonly bool* flags = flags;
    private readonly T* numbers = numbers;

    /// <summary>A vector of values from place <paramref name="i"/> on, 0 beyond <paramref name="count"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Vector256<T> Vector(long i, long count)
    {
        if (flags == null)
            return VectorMath.Load(numbers + i, count);
        ulong bytes = 0;
        if (count >= Vector256<T>.Count)
            bytes = typeof(T) == typeof(float) ? Unsafe.ReadUnaligned<ulong>(flags + i) : Unsafe.ReadUnaligned<uint>(flags + i);
        else
            for (int k = 0; k < count; k++)
                bytes |= (flags[i + k] ? 1UL : 0) << (8 * k);
        var (shorts, _) = Vector128.Widen(Vector128.CreateScalar(bytes).AsByte());
        var (lower, upper) = Vector128.Widen(shorts);
        if (typeof(T) == typeof(float))
            return Vector256.ConvertToSingle(Vector256.Create(lower, upper).AsInt32()).As<float, T>();
        var (first, second) = Vector128.Widen(lower);
        return Vector256.ConvertToDouble(Vector256.Create(first, second).AsInt64()).As<double, T>();
    }

    /// <summary>One value.</summary>
    internal double Get(long i) => flags != null ? (flags[i] ? 1 : 0) : Scalars.Get(numbers + i);

    /// <summary>Σ m over <paramref name="length"/> places.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal double Sum(long start, long length)
    {
        var sum = default(WideSum<T>);
        for (long i = 0; i < length; i += Vector256<T>.Count)
            sum.Add(Vector(start + i, length - i));
        return sum.Total;
    }

    /// <summary>Returns the number of counted positions among <paramref name="length"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal double Number(long start, long length)
    {
        var sum = default(WideSum<T>);
        for (long i = 0; i < length; i += Vector256<T>.Count)
            sum.Add(VectorMath.NotZero(Vector(start + i, length - i)) & Vector256<T>.One);
        return sum.Total;
    }
}
