using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PostTrain.Operators;

/// <summary>What kernels need of a vector of float32 or float64 beside the operators: exponentials, sigmoid, tanh, and parts of a
/// vector.</summary>
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
        where T : unmanaged => count >= Vector256<T>.Count ? Vector256.Load(from) : LoadPart(from, count);

    /// <summary>Writes <paramref name="count"/> numbers, at most a vector of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Store<T>(T* to, Vector256<T> values, long count)
        where T : unmanaged
    {
        if (count >= Vector256<T>.Count)
            values.Store(to);
        else
            StorePart(to, values, count);
    }

    /// <summary>A number of type <typeparamref name="T"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T Number<T>(double value)
        where T : unmanaged, IFloatingPointIeee754<T> => T.CreateTruncating(value);

    // (e^2x − 1)/(e^2x + 1) of x ≤ 0, and odd.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> Tanh(Vector256<double> x)
    {
        var exponential = Lanes.Exp(Vector256.Abs(x) * -2, out var minusOne);
        var size = -minusOne / (exponential + Vector256<double>.One);
        return Vector256.CopySign(size, x);
    }

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
