using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
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
        if (Avx2.IsSupported && typeof(T) == typeof(float) && count >= Vector256<T>.Count)
            return Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32((byte*)flags + i)).As<float, T>();
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

    /// <summary>The positions of a vector that count, as a mask of all bits; none beyond <paramref name="count"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Vector256<T> Counted(long i, long count) =>
        Avx2.IsSupported && typeof(T) == typeof(float) && flags != null && count >= Vector256<T>.Count
            ? Vector256.GreaterThan(Avx2.ConvertToVector256Int32((byte*)flags + i), default).As<int, T>()
            : VectorMath.NotZero(Vector(i, count));

    /// <summary>The counted ones of sixteen positions, as <see cref="Counted"/>, for T = float32 on a processor with AVX-512.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Vector512<float> CountedSixteen(long i) =>
        flags != null
            ? Vector512.GreaterThan(Avx512F.ConvertToVector512Int32(Vector128.Load((byte*)flags + i)), default).AsSingle()
            : ~Vector512.Equals(Vector512.Load((float*)numbers + i), Vector512<float>.Zero);

    /// <summary>One value.</summary>
    internal double Get(long i) => flags != null ? (flags[i] ? 1 : 0) : Scalars.Get(numbers + i);

    /// <summary>Σ m over <paramref name="length"/> places.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal double Sum(long start, long length)
    {
        if (flags != null)
            return Set(start, length);
        var sum = default(WideSum<T>);
        for (long i = 0; i < length; i += Vector256<T>.Count)
            sum.Add(VectorMath.Load(numbers + start + i, length - i));
        return sum.Total;
    }

    /// <summary>Returns the number of counted positions among <paramref name="length"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal double Number(long start, long length)
    {
        if (flags != null)
            return Set(start, length);
        var sum = default(WideSum<T>);
        for (long i = 0; i < length; i += Vector256<T>.Count)
            sum.Add(VectorMath.NotZero(VectorMath.Load(numbers + start + i, length - i)) & Vector256<T>.One);
        return sum.Total;
    }

    // The number of flags that are set.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private long Set(long start, long length)
    {
        byte* from = (byte*)flags + start;
        long set = 0,
            i = 0;
        for (; i <= length - Vector256<byte>.Count; i += Vector256<byte>.Count)
            set += BitOperations.PopCount(Vector256.ExtractMostSignificantBits(Vector256.GreaterThan(Vector256.Load(from + i), default)));
        for (; i < length; i++)
            set += from[i] != 0 ? 1 : 0;
        return set;
    }
}
