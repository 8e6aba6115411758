using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Operators;

/// <summary>Four numbers at a time, in float64 whatever the type in memory.</summary>
internal static unsafe class Lanes
{
    internal const int Count = 4;

    internal static V One => V.One;

    /// <summary>Reads <paramref name="count"/> numbers, 1 to 4 or more for 4; the other lanes are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static V Load<T>(T* from, long count)
        where T : unmanaged
    {
        return count >= Count ? Load(from) : LoadPart(from, count);
    }

    /// <summary>Writes <paramref name="count"/> numbers, 1 to 4 or more for 4.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Store<T>(T* to, V values, long count)
        where T : unmanaged
    {
        if (count >= Count)
            Store(to, values);
        else
            StorePart(to, values, count);
    }

    /// <summary>1 in the first <paramref name="count"/> lanes and 0 in the others, as a mask.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static V First(long count) => Vector256.LessThan(Vector256.Create(0.0, 1, 2, 3), Vector256.Create((double)count));

    /// <summary>Returns a mask of the values that are not 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static V NotZero(V values) => ~Vector256.Equals(values, V.Zero);

    /// <summary>The values where the mask is set, 0 elsewhere, NaN included.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static V Where(V mask, V values) => mask & values;

    /// <summary>1/(1 + e^(−x)).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static V Sigmoid(V x) => One / (One + Exp(-x));

    /// <summary>log σ(x), finite for every finite x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static V LogSigmoid(V x) =>
        Vector256.ConditionalSelect(Vector256.LessThan(x, V.Zero), x, V.Zero) - Log1P(Exp(-Vector256.Abs(x)));

    /// <summary>log(1 + u), 0 ≤ u ≤ 1, with its digits near 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static V Log1P(V u)
    {
        // 2 artanh s, s = u/(2 + u) ≤ 1/3: 2s(1 + z/3 + z²/5 + ... + z¹⁶/33), z = s².
        V s = u / (u + Vector256.Create(2.0)),
            z = s * s,
            square = z * z,
            fourth = square * square,
            eighth = fourth * fourth;
        V a = Pair(z, 1, 1 / 3.0),
            b = Pair(z, 1 / 5.0, 1 / 7.0),
            c = Pair(z, 1 / 9.0, 1 / 11.0),
            d = Pair(z, 1 / 13.0, 1 / 15.0),
            e = Pair(z, 1 / 17.0, 1 / 19.0),
            f = Pair(z, 1 / 21.0, 1 / 23.0),
            g = Pair(z, 1 / 25.0, 1 / 27.0),
            h = Pair(z, 1 / 29.0, 1 / 31.0),
            last = Vector256.Create(1 / 33.0);
        V low = Vector256.FusedMultiplyAdd(Vector256.FusedMultiplyAdd(d, square, c), fourth, Vector256.FusedMultiplyAdd(b, square, a)),
            high = Vector256.FusedMultiplyAdd(Vector256.FusedMultiplyAdd(h, square, g), fourth, Vector256.FusedMultiplyAdd(f, square, e));
        return (s + s) * Vector256.FusedMultiplyAdd(Vector256.FusedMultiplyAdd(last, eighth, high), eighth, low);
    }

    /// <summary>e^x to the last bit or the one beside it; 0 and ∞ beyond the range, NaN for NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static V Exp(V x) => Exp(x, out _);

    /// <summary>e^x, and e^x − 1 without cancellation near 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static V Exp(V x, out V minusOne)
    {
        // The second operand of the native minimum and maximum is the result where one is NaN.
        // x = n·log 2 + r with |r| ≤ ½ log 2; n in the low bits of a number that is large enough to have no fraction.
        var whole = Vector256.Create(6755399441055744.0);
        var bounded = Vector256.MinNative(Vector256.Create(720.0), Vector256.MaxNative(Vector256.Create(-760.0), x));
        var n = Vector256.FusedMultiplyAdd(bounded, Vector256.Create(1.4426950408889634), whole) - whole;
        var r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-6.93147180369123816490e-01), bounded);
        r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-1.90821492927058770002e-10), r);
        // r/1! + r²/2! + ... + r¹³/13!, in pairs, fours and eights: a short chain.
        V square = r * r,
            fourth = square * square;
        V a = Pair(r, 1, 1 / 2.0),
            b = Pair(r, 1 / 6.0, 1 / 24.0),
            c = Pair(r, 1 / 120.0, 1 / 720.0),
            d = Pair(r, 1 / 5040.0, 1 / 40320.0),
            e = Pair(r, 1 / 362880.0, 1 / 3628800.0),
            f = Pair(r, 1 / 39916800.0, 1 / 479001600.0),
            last = Vector256.Create(1 / 6227020800.0);
        V low4 = Vector256.FusedMultiplyAdd(b, square, a),
            middle4 = Vector256.FusedMultiplyAdd(d, square, c),
            high4 = Vector256.FusedMultiplyAdd(Vector256.FusedMultiplyAdd(last, square, f), square, e);
        var sum = Vector256.FusedMultiplyAdd(Vector256.FusedMultiplyAdd(high4, fourth, middle4), fourth, low4) * r;
        // 2^n in two factors: one alone has no room for subnormal results.
        var first = Vector256.FusedMultiplyAdd(n, Vector256.Create(0.5), whole) - whole;
        V low = Power(first, whole),
            high = Power(n - first, whole);
        var exponential = (sum + One) * low * high;
        var power = low * high;
        var near = Vector256.LessThanOrEqual(Vector256.Abs(x), One);
        minusOne = Vector256.ConditionalSelect(near, Vector256.FusedMultiplyAdd(sum, power, power - One), exponential - One);
        return exponential;
    }

    /// <summary>Returns x minus a cap if x is above it; 0 otherwise, also at −∞.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static V Beyond(V x, V cap) => Where(Vector256.GreaterThan(x, cap), x - cap);

    /// <summary>e^x − 1 up to a cap, and the tangent there beyond; the derivative, and the derivative less 1 with its digits near
    /// 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static V ExpM1(V x, V cap, out V slope, out V minusOne)
    {
        slope = Exp(Vector256.Min(x, cap), out minusOne);
        return minusOne + slope * Beyond(x, cap);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static V LoadPart<T>(T* from, long count)
        where T : unmanaged
    {
        T* part = stackalloc T[Count];
        for (int i = 0; i < Count; i++)
            part[i] = i < count ? from[i] : default;
        return Load(part);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void StorePart<T>(T* to, V values, long count)
        where T : unmanaged
    {
        T* part = stackalloc T[Count];
        Store(part, values);
        for (int i = 0; i < count; i++)
            to[i] = part[i];
    }

    // a + b·x.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Pair(V x, double a, double b) => Vector256.FusedMultiplyAdd(Vector256.Create(b), x, Vector256.Create(a));

    // 2^n of whole numbers.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Power(V n, V whole) => (((n + whole).AsInt64() + Vector256.Create(1023L)) << 52).AsDouble();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Load<T>(T* from)
        where T : unmanaged
    {
        if (typeof(T) == typeof(double))
            return Vector256.Load((double*)from);
        if (typeof(T) == typeof(float))
        {
            var four = Vector128.Load((float*)from);
            if (Avx.IsSupported)
                return Avx.ConvertToVector256Double(four);
            var (lower, upper) = Vector128.Widen(four);
            return Vector256.Create(lower, upper);
        }
        // Flags.
        var flags = (byte*)from;
        return Vector256.Create((double)flags[0], flags[1], flags[2], flags[3]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<T>(T* to, V values)
        where T : unmanaged
    {
        if (typeof(T) == typeof(double))
            values.Store((double*)to);
        else if (Avx.IsSupported)
            Avx.ConvertToVector128Single(values).Store((float*)to);
        else
            Vector128.Narrow(values.GetLower(), values.GetUpper()).Store((float*)to);
    }
}
