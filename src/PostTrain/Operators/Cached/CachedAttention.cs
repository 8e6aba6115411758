using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PostTrain.Operators;

/// <summary>Attention of the query heads of one group, at one position, over the keys and values of one cached head.</summary>
internal static unsafe class CachedAttention
{
    /// <summary>Numbers of scratch memory that <see cref="Run"/> takes.</summary>
    /// <param name="group">G.</param>
    /// <param name="length">S.</param>
    /// <param name="vector">Numbers of a vector.</param>
    internal static long Room(int group, int length, int vector) => group * ((length + vector - 1L) / vector * vector);

    /// <summary>softmax(cap(q kᵀ)) v over the positions from <paramref name="first"/> to the last.</summary>
    /// <param name="group">G, query heads.</param>
    /// <param name="query">Rows of the scaled queries.</param>
    /// <param name="queryRow">From row to row.</param>
    /// <param name="keys">[S,Dh].</param>
    /// <param name="values">[S,Dh].</param>
    /// <param name="size">Dh.</param>
    /// <param name="first">The first position that is seen.</param>
    /// <param name="length">S.</param>
    /// <param name="segments">[S], only positions with the last one's number are seen; null where all are.</param>
    /// <param name="cap">The soft cap; 0 for none.</param>
    /// <param name="scores">Scratch memory.</param>
    /// <param name="to">[G,Dh].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Run<T>(
        int group,
        T* query,
        nint queryRow,
        T* keys,
        T* values,
        int size,
        int first,
        int length,
        long* segments,
        T cap,
        T* scores,
        T* to
    )
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        int count = length - first,
            padded = (count + Vector256<T>.Count - 1) / Vector256<T>.Count * Vector256<T>.Count;
        RowProduct.Run(group, count, size, query, queryRow, keys + (nint)first * size, size, scores, padded, add: false);
        for (int head = 0; head < group; head++)
        {
            T* line = scores + head * padded;
            for (int i = count; i < padded; i++)
                line[i] = T.NegativeInfinity;
            if (cap > T.Zero)
                ScoreRow.Cap(line, count / Vector256<T>.Count * Vector256<T>.Count, cap);
            if (cap > T.Zero)
                CapEnd(line, count, cap);
            if (segments != null)
            {
                for (int i = 0; i < count; i++)
                {
                    if (segments[first + i] != segments[length - 1])
                        line[i] = T.NegativeInfinity;
                }
            }
            T sum = ScoreRow.Exponentials(line, padded, ScoreRow.Max(line, padded));
            Mix(line, values + (nint)first * size, count, size, T.One / sum, to + head * size);
        }
    }

    // The last scores, which fill no vector.
    private static void CapEnd<T>(T* line, int count, T cap)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T* part = stackalloc T[Vector256<T>.Count];
        int start = count / Vector256<T>.Count * Vector256<T>.Count;
        for (int i = 0; i < Vector256<T>.Count; i++)
            part[i] = start + i < count ? line[start + i] : T.Zero;
        ScoreRow.Cap(part, Vector256<T>.Count, cap);
        for (int i = start; i < count; i++)
            line[i] = part[i - start];
    }

    // Σ_s weights[s]·values[s,:]·factor; four sums for each vector, as many as the latency of an addition needs.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Mix<T>(T* weights, T* values, int count, int size, T factor, T* to)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (int d = 0; d < size; d += Vector256<T>.Count)
        {
            int left = size - d;
            Vector256<T> s0 = default,
                s1 = default,
                s2 = default,
                s3 = default;
            T* from = values + d;
            int i = 0;
            for (; i <= count - 4; i += 4, from += 4 * size)
            {
                s0 = VectorMath.MultiplyAdd(Vector256.Create(weights[i]), VectorMath.Load(from, left), s0);
                s1 = VectorMath.MultiplyAdd(Vector256.Create(weights[i + 1]), VectorMath.Load(from + size, left), s1);
                s2 = VectorMath.MultiplyAdd(Vector256.Create(weights[i + 2]), VectorMath.Load(from + 2 * size, left), s2);
                s3 = VectorMath.MultiplyAdd(Vector256.Create(weights[i + 3]), VectorMath.Load(from + 3 * size, left), s3);
            }
            for (; i < count; i++, from += size)
                s0 = VectorMath.MultiplyAdd(Vector256.Create(weights[i]), VectorMath.Load(from, left), s0);
            VectorMath.Store(to + d, ((s0 + s1) + (s2 + s3)) * factor, left);
        }
    }
}
