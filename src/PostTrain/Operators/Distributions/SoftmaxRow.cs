using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using V = System.Runtime.Intrinsics.Vector256<double>;
using W = System.Runtime.Intrinsics.Vector256<float>;

namespace PostTrain.Operators;

/// <summary>The softmax of a row of logits in memory, in the row's own precision with sums in float64.</summary>
internal static unsafe class SoftmaxRow
{
    /// <summary>The greatest logit; NaN where there is one.</summary>
    internal static double Max<T>(T* logits, int count)
        where T : unmanaged => typeof(T) == typeof(float) ? Greatest((float*)logits, count) : Greatest((double*)logits, count);

    /// <summary>The mean logit.</summary>
    internal static double Mean<T>(T* logits, int count)
        where T : unmanaged
    {
        var sum = V.Zero;
        for (int i = 0; i < count; i += V.Count)
            sum += Lanes.Load(logits + i, count - i);
        return Vector256.Sum(sum) / count;
    }

    /// <summary>Returns true if the first greatest logit is that of a token.</summary>
    internal static bool IsFirst<T>(T* logits, double max, long token)
        where T : unmanaged
    {
        if (Scalars.Get(logits + token) != max)
            return false;
        return typeof(T) == typeof(float)
            ? new ReadOnlySpan<float>(logits, (int)token).IndexOf((float)max) < 0
            : new ReadOnlySpan<double>(logits, (int)token).IndexOf(max) < 0;
    }

    /// <summary>Σ e^(z − max), and Σ e^(z − max)·(z − max) where asked for; the exponentials go to <paramref name="to"/> unless it is
    /// null.</summary>
    internal static double Sum<T>(T* logits, double max, int count, T* to, bool weighted, out double cross)
        where T : unmanaged
    {
        cross = 0;
        return typeof(T) == typeof(float)
            ? Sum((float*)logits, (float)max, count, (float*)to, weighted, ref cross)
            : Sum((double*)logits, max, count, (double*)to, weighted, ref cross);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Sum(float* logits, float max, int count, float* to, bool weighted, ref double cross)
    {
        int start = Vector512.IsHardwareAccelerated ? count / Vector512<float>.Count * Vector512<float>.Count : 0;
        double first = start > 0 ? WideSum(logits, max, start, to, weighted, ref cross) : 0;
        var (sum, weightedSum, shift) = (V.Zero, V.Zero, Vector256.Create(max));
        for (int i = start; i < count; i += W.Count)
        {
            int left = count - i;
            var x = (left >= W.Count ? Vector256.Load(logits + i) : Part(logits + i, left)) - shift;
            var exponential = ExpOfNegative(x);
            var (lower, upper) = Vector256.Widen(exponential);
            sum += lower + upper;
            if (weighted)
            {
                // 0·(−∞) is 0 here.
                var product = exponential * Vector256.ConditionalSelect(Vector256.Equals(exponential, W.Zero), W.Zero, x);
                (lower, upper) = Vector256.Widen(product);
                weightedSum += lower + upper;
            }
            if (to == null)
                continue;
            if (left >= W.Count)
                exponential.Store(to + i);
            else
                for (int lane = 0; lane < left; lane++)
                    to[i + lane] = exponential[lane];
        }
        cross += Vector256.Sum(weightedSum);
        return first + Vector256.Sum(sum);
    }

    // The same of whole vectors of sixteen.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double WideSum(float* logits, float max, int count, float* to, bool weighted, ref double cross)
    {
        var (sum, weightedSum, shift) = (Vector512<double>.Zero, Vector512<double>.Zero, Vector512.Create(max));
        for (int i = 0; i < count; i += Vector512<float>.Count)
        {
            var x = Vector512.Load(logits + i) - shift;
            var exponential = ExpOfNegative(x);
            var (lower, upper) = Vector512.Widen(exponential);
            sum += lower + upper;
            if (weighted)
            {
                // 0·(−∞) is 0 here.
                var product =
                    exponential
                    * Vector512.ConditionalSelect(Vector512.Equals(exponential, Vector512<float>.Zero), Vector512<float>.Zero, x);
                (lower, upper) = Vector512.Widen(product);
                weightedSum += lower + upper;
            }
            if (to != null)
                exponential.Store(to + i);
        }
        cross = Vector512.Sum(weightedSum);
        return Vector512.Sum(sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Sum(double* logits, double max, int count, double* to, bool weighted, ref double cross)
    {
        var (sum, weightedSum, shift) = (V.Zero, V.Zero, Vector256.Create(max));
        for (int i = 0; i < count; i += V.Count)
        {
            long left = count - i;
            var x = Lanes.Load(logits + i, left) - shift;
            var exponential = Lanes.Exp(x);
            if (left < V.Count)
                exponential = Lanes.Where(Lanes.First(left), exponential);
            sum += exponential;
            if (weighted)
                weightedSum += exponential * Vector256.ConditionalSelect(Vector256.Equals(exponential, V.Zero), V.Zero, x);
            if (to != null)
                Lanes.Store(to + i, exponential, left);
        }
        cross = Vector256.Sum(weightedSum);
        return Vector256.Sum(sum);
    }

    /// <summary>Replaces exponentials by factor·e + addend.</summary>
    internal static void Scale<T>(T* values, int count, double factor, double addend)
        where T : unmanaged
    {
        if (typeof(T) == typeof(float))
            MultiplyAdd((float*)values, count, (float)factor, (float)addend);
        else
            MultiplyAdd((double*)values, count, factor, addend);
    }

    /// <summary>Replaces exponentials by e·(constant + slope·(z − max)); 0 stays 0.</summary>
    internal static void Scale<T>(T* values, T* logits, double max, int count, double constant, double slope)
        where T : unmanaged
    {
        V first = Vector256.Create(constant),
            second = Vector256.Create(slope),
            shift = Vector256.Create(max);
        for (int i = 0; i < count; i += V.Count)
        {
            long left = count - i;
            var exponential = Lanes.Load(values + i, left);
            var factor = first + second * (Lanes.Load(logits + i, left) - shift);
            Lanes.Store(values + i, Vector256.ConditionalSelect(Vector256.Equals(exponential, V.Zero), V.Zero, exponential * factor), left);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static T Greatest<T>(T* from, int count)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T result = T.NegativeInfinity;
        int i = 0,
            step = 2 * Vector256<T>.Count;
        if (count >= step)
        {
            Vector256<T> even = Vector256.Create(result),
                odd = even,
                unordered = Vector256<T>.Zero;
            for (; i <= count - step; i += step)
            {
                Vector256<T> x = Vector256.Load(from + i),
                    y = Vector256.Load(from + i + Vector256<T>.Count);
                even = Vector256.MaxNative(even, x);
                odd = Vector256.MaxNative(odd, y);
                // The native maximum may lose a NaN.
                unordered |= ~(Vector256.Equals(x, x) & Vector256.Equals(y, y));
            }
            if (Vector256.ExtractMostSignificantBits(unordered) != 0)
                return T.NaN;
            even = Vector256.MaxNative(even, odd);
            for (int lane = 0; lane < Vector256<T>.Count; lane++)
                result = T.Max(result, even[lane]);
        }
        for (; i < count; i++)
            result = T.Max(result, from[i]);
        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyAdd<T>(T* values, int count, T factor, T addend)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        Vector256<T> factors = Vector256.Create(factor),
            addends = Vector256.Create(addend);
        int i = 0;
        for (; i <= count - Vector256<T>.Count; i += Vector256<T>.Count)
            (Vector256.Load(values + i) * factors + addends).Store(values + i);
        for (; i < count; i++)
            values[i] = values[i] * factor + addend;
    }

    /// <summary>e^x of x ≤ 0 to a few units in the last place; 0 below −87.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static W ExpOfNegative(W x)
    {
        var least = Vector256.Create(-87f);
        // The second operand of the native maximum is the result where one is NaN.
        var exponential = VectorMath.ExpWithin(Vector256.MaxNative(least, x), out _, out _);
        return Vector256.AndNot(exponential, Vector256.LessThan(x, least));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> ExpOfNegative(Vector512<float> x)
    {
        var least = Vector512.Create(-87f);
        var exponential = VectorMath.ExpWithin(Vector512.MaxNative(least, x), out _, out _);
        return Vector512.AndNot(exponential, Vector512.LessThan(x, least));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static W Part(float* from, int count)
    {
        // −∞ has the exponential 0.
        float* part = stackalloc float[W.Count];
        for (int i = 0; i < W.Count; i++)
            part[i] = i < count ? from[i] : float.NegativeInfinity;
        return Vector256.Load(part);
    }
}
