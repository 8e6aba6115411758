using System.Runtime.CompilerServices;
using static TorchSharp.torch;
using V = System.Runtime.Intrinsics.Vector256<double>;

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

/// <summary>Overload for a kernel's loop.</summary>
internal readonly unsafe struct MaskPointer<T>(bool* flags, T* numbers)
    where T : unmanaged
{
    private readonly bool* flags = flags;
    private readonly T* numbers = numbers;

    /// <summary>Four values from place <paramref name="i"/> on, 0 beyond <paramref name="count"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal V Load(long i, long count) => flags != null ? Lanes.Load(flags + i, count) : Lanes.Load(numbers + i, count);

    /// <summary>One value.</summary>
    internal double Get(long i) => flags != null ? (flags[i] ? 1 : 0) : Scalars.Get(numbers + i);

    /// <summary>Σ m over <paramref name="length"/> places.</summary>
    internal double Sum(long start, long length)
    {
        var sum = V.Zero;
        for (long i = 0; i < length; i += Lanes.Count)
            sum += Load(start + i, length - i);
        return System.Runtime.Intrinsics.Vector256.Sum(sum);
    }

    /// <summary>Returns the number of counted positions among <paramref name="length"/>.</summary>
    internal double Number(long start, long length)
    {
        var sum = V.Zero;
        for (long i = 0; i < length; i += Lanes.Count)
            sum += Lanes.Where(Lanes.NotZero(Load(start + i, length - i)), V.One);
        return System.Runtime.Intrinsics.Vector256.Sum(sum);
    }
}
