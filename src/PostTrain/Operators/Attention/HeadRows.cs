using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PostTrain.Operators;

/// <summary>One head's rows of a tensor, taken into rows of whole vectors and put back, turned by the rotary embedding on the
/// way.</summary>
/// <remarks>Element i &lt; d of a turned row is paired with the one d/2 away: y_i = x_i·c_i + x_{i±d/2}·s_i.</remarks>
/// <param name="cosines">[T,d] of this batch row; null for rows that are not turned.</param>
/// <param name="sines">[T,d], −sin in the first half.</param>
/// <param name="turned">d.</param>
/// <param name="size">Elements of a head.</param>
/// <param name="padded">Elements of a row in the block.</param>
internal readonly unsafe struct HeadRows<T>(T* cosines, T* sines, int turned, int size, int padded)
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private readonly T* cosines = cosines,
        sines = sines;

    private readonly int turned = cosines == null ? 0 : turned;

    // A whole head is one vector, and all of it is turned.
    private readonly bool isVector = cosines != null && turned == Vector256<T>.Count && size == turned && padded == turned;

    /// <summary>The row at position <paramref name="t"/>, turned and scaled; zeros behind it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Take<S>(S* from, int t, T scale, T* to)
        where S : unmanaged
    {
        if (isVector)
        {
            var x = Stored.Load<T, S>(from);
            var y = x * Vector256.Load(cosines + (long)t * turned) + Swapped(x) * Vector256.Load(sines + (long)t * turned);
            (y * scale).Store(to);
            return;
        }
        var half = turned / 2;
        if (turned > 0)
        {
            T* c = cosines + (long)t * turned,
                s = sines + (long)t * turned;
            Turn(half, scale, from, c, from + half, s, to);
            Turn(half, scale, from + half, c + half, from, s + half, to + half);
        }
        var i = turned;
        for (; i <= size - Vector256<T>.Count; i += Vector256<T>.Count)
            (Stored.Load<T, S>(from + i) * scale).Store(to + i);
        for (; i < size; i++)
            to[i] = Stored.Get<T, S>(from + i) * scale;
        for (; i < padded; i++)
            to[i] = default;
    }

    /// <summary>The gradient of <see cref="Take"/>: a block's row back to the tensor, turned back and scaled.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Put<S>(T* from, int t, T scale, S* to)
        where S : unmanaged
    {
        if (isVector)
        {
            var y = Vector256.Load(from);
            var x = y * Vector256.Load(cosines + (long)t * turned) + Swapped(y * Vector256.Load(sines + (long)t * turned));
            Stored.Store(to, x * scale);
            return;
        }
        var half = turned / 2;
        if (turned > 0)
        {
            // ∂x_i = ∂y_i·c_i + ∂y_j·s_j with j the partner of i.
            T* c = cosines + (long)t * turned,
                s = sines + (long)t * turned;
            Turn(half, scale, from, c, from + half, s + half, to);
            Turn(half, scale, from + half, c + half, from, s, to + half);
        }
        var i = turned;
        for (; i <= size - Vector256<T>.Count; i += Vector256<T>.Count)
            Stored.Store(to + i, Vector256.Load(from + i) * scale);
        for (; i < size; i++)
            Stored.Set(to + i, from[i] * scale);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<T> Swapped(Vector256<T> x) => Vector256.Create(x.GetUpper(), x.GetLower());

    // (x·c + y·s)·scale.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Turn<TFrom, TTo>(int count, T scale, TFrom* x, T* c, TFrom* y, T* s, TTo* to)
        where TFrom : unmanaged
        where TTo : unmanaged
    {
        var i = 0;
        for (; i <= count - Vector256<T>.Count; i += Vector256<T>.Count)
        {
            var (first, second) = (Stored.Load<T, TFrom>(x + i), Stored.Load<T, TFrom>(y + i));
            Stored.Store(to + i, (first * Vector256.Load(c + i) + second * Vector256.Load(s + i)) * scale);
        }
        for (; i <= count - Vector128<T>.Count; i += Vector128<T>.Count)
        {
            var (first, second) = (Stored.LoadHalf<T, TFrom>(x + i), Stored.LoadHalf<T, TFrom>(y + i));
            Stored.StoreHalf(to + i, (first * Vector128.Load(c + i) + second * Vector128.Load(s + i)) * scale);
        }
        for (; i < count; i++)
            Stored.Set(to + i, (Stored.Get<T, TFrom>(x + i) * c[i] + Stored.Get<T, TFrom>(y + i) * s[i]) * scale);
    }
}
