using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace PostTrain.Operators;

/// <summary>Functions of a vector of float32 or float64 that kernels need besides the operators: exponentials, sigmoid, tanh, and parts of
/// a
/// vector.</summary>
/// <remarks>The loops of kernels are compiled with full optimisation at their first call (<c>AggressiveOptimization</c>): a training step
/// calls them too seldom for the staged compiler, which would leave them slow for the first hundreds of steps.</remarks>
internal static unsafe class VectorMath
{
    /// <summary>a·b + c in one rounding.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<T> MultiplyAdd<T>(Vector256<T> a, Vector256<T> b, Vector256<T> c)
        where T : unmanaged =>
        typeof(T) == typeof(float)
            ? Vector256.FusedMultiplyAdd(a.AsSingle(), b.AsSingle(), c.AsSingle()).As<float, T>()
            : Vector256.FusedMultiplyAdd(a.AsDouble(), b.AsDouble(), c.AsDouble()).As<double, T>();

    /// <summary>e^x of x ≤ 0; 0 where it is smaller than any normal number, NaN for NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<T> ExpOfNegative<T>(Vector256<T> x)
        where T : unmanaged =>
        typeof(T) == typeof(float) ? SoftmaxRow.ExpOfNegative(x.AsSingle()).As<float, T>() : Lanes.Exp(x.AsDouble()).As<double, T>();

    /// <summary>e^x, bounded to the normal numbers in float32; NaN for NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<T> Exp<T>(Vector256<T> x)
        where T : unmanaged => Exp(x, out _, out _);

    /// <summary>e^x, and e^x − 1 and e^x − 1 − x with their digits near 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<T> Exp<T>(Vector256<T> x, out Vector256<T> minusOne, out Vector256<T> rest)
        where T : unmanaged =>
        ExpWithin(
            typeof(T) == typeof(double)
                ? x
                // The second operand of the native minimum and maximum is the result where one is NaN.
                : Vector256.MinNative(Vector256.Create(88f), Vector256.MaxNative(Vector256.Create(-87f), x.AsSingle())).As<float, T>(),
            out minusOne,
            out rest
        );

    /// <summary>The same of −87 ≤ x ≤ 88.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<T> ExpWithin<T>(Vector256<T> x, out Vector256<T> minusOne, out Vector256<T> rest)
        where T : unmanaged
    {
        if (typeof(T) == typeof(double))
        {
            var wide = Lanes.Exp(x.AsDouble(), out var wideMinusOne);
            minusOne = wideMinusOne.As<double, T>();
            rest = minusOne - x;
            return wide.As<double, T>();
        }
        var single = ExpWithin(x.AsSingle(), out var singleMinusOne, out var singleRest);
        minusOne = singleMinusOne.As<float, T>();
        rest = singleRest.As<float, T>();
        return single.As<float, T>();
    }

    /// <summary>log x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<T> Log<T>(Vector256<T> x)
        where T : unmanaged =>
        typeof(T) == typeof(float) ? Vector256.Log(x.AsSingle()).As<float, T>() : Vector256.Log(x.AsDouble()).As<double, T>();

    /// <summary>The values, not below −bound and not above bound; NaN for NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<T> Bounded<T>(Vector256<T> values, double bound)
        where T : unmanaged, IFloatingPointIeee754<T> =>
        // The second operand of the native minimum and maximum is the result where one is NaN.
        Vector256.MinNative(All<T>(bound), Vector256.MaxNative(All<T>(-bound), values));

    /// <summary>A mask of the values that are not 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<T> NotZero<T>(Vector256<T> values)
        where T : unmanaged => ~Vector256.Equals(values, Vector256<T>.Zero);

    /// <summary>The sum of all lanes in float64.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static double Sum<T>(Vector256<T> values)
        where T : unmanaged
    {
        if (typeof(T) == typeof(double))
            return Vector256.Sum(values.AsDouble());
        var (lower, upper) = Vector256.Widen(values.AsSingle());
        return Vector256.Sum(lower + upper);
    }

    /// <summary>1/(1 + e^(−x)).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<T> Sigmoid<T>(Vector256<T> x)
        where T : unmanaged
    {
        var exponential = ExpOfNegative(-Vector256.Abs(x));
        var large = Vector256<T>.One / (Vector256<T>.One + exponential);
        return Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256<T>.Zero), exponential * large, large);
    }

    /// <summary>tanh x with its digits near 0; float32 by way of float64.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<T> Tanh<T>(Vector256<T> x)
        where T : unmanaged
    {
        if (typeof(T) == typeof(double))
            return Tanh(x.AsDouble()).As<double, T>();
        var (lower, upper) = Vector256.Widen(x.AsSingle());
        return Vector256.Narrow(Tanh(lower), Tanh(upper)).As<float, T>();
    }

    /// <summary>Reads <paramref name="count"/> numbers, at most a vector of them; the other lanes are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<T> Load<T>(T* from, long count)
        where T : unmanaged
    {
        if (count >= Vector256<T>.Count)
            return Vector256.Load(from);
        if (Avx.IsSupported && typeof(T) == typeof(float))
            return Avx.MaskLoad((float*)from, FirstSingles(count)).As<float, T>();
        if (Avx.IsSupported && typeof(T) == typeof(double))
            return Avx.MaskLoad((double*)from, Lanes.First(count)).As<double, T>();
        return LoadPart(from, count);
    }

    /// <summary>Writes <paramref name="count"/> numbers, at most a vector of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Store<T>(T* to, Vector256<T> values, long count)
        where T : unmanaged
    {
        if (count >= Vector256<T>.Count)
            values.Store(to);
        else if (Avx.IsSupported && typeof(T) == typeof(float))
            Avx.MaskStore((float*)to, FirstSingles(count), values.AsSingle());
        else if (Avx.IsSupported && typeof(T) == typeof(double))
            Avx.MaskStore((double*)to, Lanes.First(count), values.AsDouble());
        else
            StorePart(to, values, count);
    }

    /// <summary>The greatest lane; where one is NaN, that or another.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T Max<T>(Vector256<T> values)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        var half = Vector128.MaxNative(values.GetLower(), values.GetUpper());
        if (typeof(T) == typeof(double))
            return T.MaxNative(half[0], half[1]);
        var single = half.AsSingle();
        single = Vector128.MaxNative(single, Vector128.Shuffle(single, Vector128.Create(2, 3, 2, 3)));
        var lanes = single.As<float, T>();
        return T.MaxNative(lanes[0], lanes[1]);
    }

    /// <summary>A number in every lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<T> All<T>(double value)
        where T : unmanaged, IFloatingPointIeee754<T> => Vector256.Create(Number<T>(value));

    /// <summary>A number of type <typeparamref name="T"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T Number<T>(double value)
        where T : unmanaged, IFloatingPointIeee754<T> => T.CreateTruncating(value);

    /// <summary>e^x, and e^x − 1 and e^x − 1 − x with their digits near 0, of −87 ≤ x ≤ 88.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<float> ExpWithin(Vector256<float> x, out Vector256<float> minusOne, out Vector256<float> rest)
    {
        // x = n·log 2 + r with |r| ≤ ½ log 2; n in the low bits of a number that is large enough to have no fraction.
        var whole = Vector256.Create(12582912f);
        var shifted = Vector256.FusedMultiplyAdd(x, Vector256.Create(1.44269504f), whole);
        var n = shifted - whole;
        var r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-0.693145752f), x);
        r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-1.42860677e-6f), r);
        // s = r²/2! + r³/3! + ... + r⁷/7!, in pairs: a short chain.
        var square = r * r;
        var first = Vector256.FusedMultiplyAdd(Vector256.Create(1 / 6f), r, Vector256.Create(0.5f));
        var second = Vector256.FusedMultiplyAdd(Vector256.Create(1 / 120f), r, Vector256.Create(1 / 24f));
        var third = Vector256.FusedMultiplyAdd(Vector256.Create(1 / 5040f), r, Vector256.Create(1 / 720f));
        var sum = Vector256.FusedMultiplyAdd(Vector256.FusedMultiplyAdd(third, square, second), square, first);
        var s = sum * square;
        // e^x = 2ⁿ(1 + r + s); what is taken away is taken from 2ⁿ, which is 1 near 0.
        var power = ((shifted.AsInt32() + Vector256.Create(127)) << 23).AsSingle();
        var more = Vector256.FusedMultiplyAdd(sum, square, r);
        var less = power - Vector256<float>.One;
        minusOne = Vector256.FusedMultiplyAdd(more, power, less);
        rest = Vector256.FusedMultiplyAdd(s, power, Vector256.FusedMultiplyAdd(r, power, less - x));
        return Vector256.FusedMultiplyAdd(more, power, power);
    }

    /// <summary>Overload for sixteen numbers, with the same operations and bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<float> ExpWithin(Vector512<float> x, out Vector512<float> minusOne, out Vector512<float> rest)
    {
        var whole = Vector512.Create(12582912f);
        var shifted = Vector512.FusedMultiplyAdd(x, Vector512.Create(1.44269504f), whole);
        var n = shifted - whole;
        var r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-0.693145752f), x);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-1.42860677e-6f), r);
        var square = r * r;
        var first = Vector512.FusedMultiplyAdd(Vector512.Create(1 / 6f), r, Vector512.Create(0.5f));
        var second = Vector512.FusedMultiplyAdd(Vector512.Create(1 / 120f), r, Vector512.Create(1 / 24f));
        var third = Vector512.FusedMultiplyAdd(Vector512.Create(1 / 5040f), r, Vector512.Create(1 / 720f));
        var sum = Vector512.FusedMultiplyAdd(Vector512.FusedMultiplyAdd(third, square, second), square, first);
        var s = sum * square;
        var power = ((shifted.AsInt32() + Vector512.Create(127)) << 23).AsSingle();
        var more = Vector512.FusedMultiplyAdd(sum, square, r);
        var less = power - Vector512<float>.One;
        minusOne = Vector512.FusedMultiplyAdd(more, power, less);
        rest = Vector512.FusedMultiplyAdd(s, power, Vector512.FusedMultiplyAdd(r, power, less - x));
        return Vector512.FusedMultiplyAdd(more, power, power);
    }

    // (e^2x − 1)/(e^2x + 1) of x ≤ 0, and odd.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> Tanh(Vector256<double> x)
    {
        var exponential = Lanes.Exp(Vector256.Abs(x) * -2, out var minusOne);
        var size = -minusOne / (exponential + Vector256<double>.One);
        return Vector256.CopySign(size, x);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> FirstSingles(long count) =>
        Vector256.LessThan(Vector256.Create(0, 1, 2, 3, 4, 5, 6, 7), Vector256.Create((int)count)).AsSingle();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector256<T> LoadPart<T>(T* from, long count)
        where T : unmanaged
    {
        T* part = stackalloc T[Vector256<T>.Count];
        for (int i = 0; i < Vector256<T>.Count; i++)
            part[i] = i < count ? from[i] : default;
        return Vector256.Load(part);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void StorePart<T>(T* to, Vector256<T> values, long count)
        where T : unmanaged
    {
        T* part = stackalloc T[Vector256<T>.Count];
        values.Store(part);
        for (int i = 0; i < count; i++)
            to[i] = part[i];
    }
}
