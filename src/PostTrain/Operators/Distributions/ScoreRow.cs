using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PostTrain.Operators;

/// <summary>A row of attention scores in a block of keys: the soft cap, the mask, exponentials and their gradient.</summary>
internal static unsafe class ScoreRow
{
    /// <summary>Cuts what is not seen: −∞ in [0,from) and [to,count), and where <paramref name="visible"/> says so between.</summary>
    /// <param name="scores">Of consecutive keys.</param>
    /// <param name="count">Keys, whole vectors.</param>
    /// <param name="from">The first that is seen.</param>
    /// <param name="to">Behind the last that is seen, at most <paramref name="count"/>.</param>
    /// <param name="visible">The map, where it has gaps; else null.</param>
    /// <param name="row">Row of the batch.</param>
    /// <param name="query">The query's position.</param>
    /// <param name="key">Position of the first key.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Cut<T>(T* scores, int count, int from, int to, VisibleKeys? visible, long row, int query, int key)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        var end = to;
        if (from > 0)
            new Span<T>(scores, from).Fill(T.NegativeInfinity);
        if (to < count)
        {
            // Whole vectors; what comes before in the first of them stays.
            int width = Vector256<T>.Count,
                start = to / width * width;
            for (; to < Math.Min(count, start + width) && to % width != 0; to++)
                scores[to] = T.NegativeInfinity;
            for (; to < count; to += width)
                Vector256.Create(T.NegativeInfinity).Store(scores + to);
        }
        if (visible is not null)
            CutGaps(scores, from, end, visible, row, query, key);
    }

    /// <summary>s ← c·tanh(s/c).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Cap<T>(T* scores, int count, T cap)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (var i = 0; i < count; i += Vector256<T>.Count)
            (VectorMath.Tanh(Vector256.Load(scores + i) / Vector256.Create(cap)) * cap).Store(scores + i);
    }

    /// <summary>The greatest score; −∞ where none is seen.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T Max<T>(T* scores, int count)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        var greatest = Vector256.Create(T.NegativeInfinity);
        for (var i = 0; i < count; i += Vector256<T>.Count)
            greatest = Vector256.MaxNative(greatest, Vector256.Load(scores + i));
        return VectorMath.Max(greatest);
    }

    /// <summary>s ← e^(s − shift); gives the sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T Exponentials<T>(T* scores, int count, T shift)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        Vector256<T> sum = default;
        var shifts = Vector256.Create(shift);
        for (var i = 0; i < count; i += Vector256<T>.Count)
        {
            var exponential = VectorMath.ExpOfNegative(Vector256.Load(scores + i) - shifts);
            exponential.Store(scores + i);
            sum += exponential;
        }
        return Vector256.Sum(sum);
    }

    /// <summary>p = e^(s − shift) in the place of s, and the gradient of the scores p·(g − delta) in that of g.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Gradient<T>(T* scores, T* gradient, int count, T shift, T delta)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        Vector256<T> shifts = Vector256.Create(shift),
            deltas = Vector256.Create(delta);
        for (var i = 0; i < count; i += Vector256<T>.Count)
        {
            var weight = VectorMath.ExpOfNegative(Vector256.Load(scores + i) - shifts);
            weight.Store(scores + i);
            (weight * (Vector256.Load(gradient + i) - deltas)).Store(gradient + i);
        }
    }

    /// <summary>The slope of the cap at capped scores, 1 − (s/c)².</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Slopes<T>(T* capped, T* slopes, int count, T cap)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (var i = 0; i < count; i += Vector256<T>.Count)
        {
            var ratio = Vector256.Load(capped + i) / Vector256.Create(cap);
            (Vector256<T>.One - ratio * ratio).Store(slopes + i);
        }
    }

    /// <summary>x ← x·y.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Multiply<T>(T* x, T* y, int count)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (var i = 0; i < count; i += Vector256<T>.Count)
            (Vector256.Load(x + i) * Vector256.Load(y + i)).Store(x + i);
    }

    private static void CutGaps<T>(T* scores, int from, int to, VisibleKeys visible, long row, int query, int key)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (var i = from; i < to; i++)
        {
            if (!visible.Sees(row, query, key + i))
                scores[i] = T.NegativeInfinity;
        }
    }
}
