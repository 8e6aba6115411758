using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using TorchSharp;

namespace PostTrain.Operators;

/// <summary>Numbers of the type that lies in memory, S, as numbers of the type that a kernel computes in, T: S is T, or bfloat16 where T is
/// float32.</summary>
/// <remarks>bfloat16 is widened exactly. A result is rounded to the nearest bfloat16, ties to even, beyond the largest to infinity; NaN
/// stays NaN.</remarks>
internal static unsafe class Stored
{
    private const ushort NotANumber = 0x7FC0;

    /// <summary>Reads <paramref name="count"/> numbers, at most a vector of them; the other lanes are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<T> Load<T, S>(S* from, long count)
        where T : unmanaged
        where S : unmanaged
    {
        if (typeof(S) != typeof(BFloat16))
            return VectorMath.Load((T*)from, count);
        return count >= Vector256<T>.Count ? Load<T, S>(from) : Widen(Part((ushort*)from, count)).As<float, T>();
    }

    /// <summary>Reads a vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<T> Load<T, S>(S* from)
        where T : unmanaged
        where S : unmanaged =>
        typeof(S) == typeof(BFloat16) ? Widen(Vector128.Load((ushort*)from)).As<float, T>() : Vector256.Load((T*)from);

    /// <summary>Reads half a vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<T> LoadHalf<T, S>(S* from)
        where T : unmanaged
        where S : unmanaged
    {
        if (typeof(S) != typeof(BFloat16))
            return Vector128.Load((T*)from);
        var bits = Vector128.CreateScalar(Unsafe.ReadUnaligned<ulong>(from)).AsUInt16();
        return (Vector128.WidenLower(bits) << 16).AsSingle().As<float, T>();
    }

    /// <summary>Reads one number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T Get<T, S>(S* from)
        where T : unmanaged
        where S : unmanaged
    {
        if (typeof(S) != typeof(BFloat16))
            return *(T*)from;
        var value = BitConverter.UInt32BitsToSingle((uint)*(ushort*)from << 16);
        return Unsafe.As<float, T>(ref value);
    }

    /// <summary>Writes <paramref name="count"/> numbers, at most a vector of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Store<T, S>(S* to, Vector256<T> values, long count)
        where T : unmanaged
        where S : unmanaged
    {
        if (typeof(S) != typeof(BFloat16))
            VectorMath.Store((T*)to, values, count);
        else if (count >= Vector256<T>.Count)
            Store(to, values);
        else
            StorePart((ushort*)to, Round(values.AsSingle()).AsUInt64(), count);
    }

    /// <summary>Writes a vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Store<T, S>(S* to, Vector256<T> values)
        where T : unmanaged
        where S : unmanaged
    {
        if (typeof(S) == typeof(BFloat16))
            Round(values.AsSingle()).Store((ushort*)to);
        else
            values.Store((T*)to);
    }

    /// <summary>Writes half a vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void StoreHalf<T, S>(S* to, Vector128<T> values)
        where T : unmanaged
        where S : unmanaged
    {
        if (typeof(S) == typeof(BFloat16))
            Unsafe.WriteUnaligned(to, Round(Vector256.Create(values.AsSingle(), default)).AsUInt64()[0]);
        else
            values.Store((T*)to);
    }

    /// <summary>Writes one number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Set<T, S>(S* to, T value)
        where T : unmanaged
        where S : unmanaged
    {
        if (typeof(S) == typeof(BFloat16))
            *(ushort*)to = Round(Vector256.CreateScalar(Unsafe.As<T, float>(ref value)))[0];
        else
            *(T*)to = value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Widen(Vector128<ushort> bits)
    {
        if (Avx2.IsSupported)
            return (Avx2.ConvertToVector256Int32(bits) << 16).AsSingle();
        var (lower, upper) = Vector128.Widen(bits);
        return (Vector256.Create(lower, upper) << 16).AsSingle();
    }

    // Half of the last bit that stays is added, one less where that bit is 0: a tie goes to the even neighbour.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ushort> Round(Vector256<float> values)
    {
        var bits = values.AsUInt32();
        var last = (bits >> 16) & Vector256<uint>.One;
        var rounded = (bits + last + Vector256.Create(0x7FFFu)) >> 16;
        rounded = Vector256.ConditionalSelect(Vector256.Equals(values, values).AsUInt32(), rounded, Vector256.Create((uint)NotANumber));
        if (Avx512F.VL.IsSupported)
            return Avx512F.VL.ConvertToVector128UInt16(rounded);
        return Vector128.Narrow(rounded.GetLower(), rounded.GetUpper());
    }

    // Less than 8 numbers: four, two and one as the bits of the count say. Without a call, across which a loop could keep no vector in a
    // register.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ushort> Part(ushort* from, long count)
    {
        ushort* rest = from + (count & 4);
        ulong tail = 0;
        if ((count & 2) != 0)
            tail = Unsafe.ReadUnaligned<uint>(rest);
        if ((count & 1) != 0)
            tail |= (ulong)rest[count & 2] << (int)(16 * (count & 2));
        return ((count & 4) != 0 ? Vector128.Create(Unsafe.ReadUnaligned<ulong>(from), tail) : Vector128.CreateScalar(tail)).AsUInt16();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StorePart(ushort* to, Vector128<ulong> bits, long count)
    {
        var (rest, tail) = ((nint)(to + (count & 4)), bits[0]);
        if ((count & 4) != 0)
        {
            Unsafe.WriteUnaligned(to, bits[0]);
            tail = bits[1];
        }
        if ((count & 2) != 0)
            Unsafe.WriteUnaligned((uint*)rest, (uint)tail);
        if ((count & 1) != 0)
            ((ushort*)rest)[count & 2] = (ushort)(tail >> (int)(16 * (count & 2)));
    }
}
