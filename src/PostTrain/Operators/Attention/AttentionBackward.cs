using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PostTrain.Operators;

/// <summary>Gradients of <see cref="AttentionForward"/>: the weights of a block are computed again from the log-sums.</summary>
/// <remarks>With p the weights, g the gradient of the result o, δ = Σ g·o of a query: ∂v = pᵀg, ∂s = p ⊙ (g vᵀ − δ), ∂q = scale·∂s k,
/// ∂k = scale·∂sᵀ q (Dao et al. 2022, arXiv:2205.14135, algorithm 4).</remarks>
internal static unsafe class AttentionBackward
{
    /// <summary>Writes the gradients of queries, keys and values.</summary>
    internal static void Run<T, S>(AttentionShape shape, VisibleKeys visible, AttentionPointers<T, S> at)
        where T : unmanaged, IFloatingPointIeee754<T>
        where S : unmanaged
    {
        long parts = (long)shape.Batch * shape.KeyValueHeads;
        long work = parts * shape.Group * shape.Length * shape.Length * 25;
        Workers.Run(parts, work, part => Part(shape, visible, at, part / shape.KeyValueHeads, (int)(part % shape.KeyValueHeads)));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Part<T, S>(AttentionShape shape, VisibleKeys visible, AttentionPointers<T, S> at, long row, int group)
        where T : unmanaged, IFloatingPointIeee754<T>
        where S : unmanaged
    {
        int size = shape.HeadSize,
            padded = shape.PaddedSize(Vector256<T>.Count),
            length = shape.Length,
            keys = shape.PaddedLength;
        const int queries = AttentionShape.QueryBlock,
            width = AttentionShape.KeyBlock;
        var all = (long)keys * padded;
        using var memory = Scratch.Take((nuint)(5 * all + queries * (3 * padded + 3 * width + 2)) * (nuint)sizeof(T));
        T* rowKeys = (T*)memory.Address,
            acrossKeys = rowKeys + all,
            acrossValues = acrossKeys + all,
            keyGradient = acrossValues + all,
            valueGradient = keyGradient + all,
            query = valueGradient + all,
            given = query + queries * padded,
            queryGradient = given + queries * padded,
            scores = queryGradient + queries * padded,
            gradient = scores + queries * width,
            slopes = gradient + queries * width,
            deltas = slopes + queries * width,
            logSums = deltas + queries;

        var angles = shape.Angles > 1 ? row * length * shape.Turned : 0;
        var turned = new HeadRows<T>(
            AttentionForward.Offset(at.Cosines, angles),
            AttentionForward.Offset(at.Sines, angles),
            shape.Turned,
            size,
            padded
        );
        var plain = new HeadRows<T>(null, null, 0, size, padded);
        var keyStart = row * length * at.KeyStep + (long)group * size;
        var valueStart = row * length * at.ValueStep + (long)group * size;
        for (var t = 0; t < length; t++)
            turned.Take(at.Key + keyStart + t * at.KeyStep, t, T.One, rowKeys + (long)t * padded);
        new Span<T>(rowKeys + (long)length * padded, (keys - length) * padded).Clear();
        AttentionForward.KeysAcross(plain, rowKeys, padded, length, keys, size, query, acrossKeys);
        AttentionForward.KeysAcross(plain, at.Value + valueStart, at.ValueStep, length, keys, size, query, acrossValues);
        new Span<T>(keyGradient, (int)(2 * all)).Clear();

        T scale = VectorMath.Number<T>(shape.Scale),
            cap = VectorMath.Number<T>(shape.SoftCap);
        var gaps = visible.HasGaps ? visible : null;
        for (var head = group * shape.Group; head < (group + 1) * shape.Group; head++)
        for (var start = 0; start < length; start += queries)
        {
            var count = Math.Min(queries, length - start);
            var first = int.MaxValue;
            for (var i = 0; i < count; i++)
            {
                var result = ((row * length + start + i) * shape.Heads + head) * size;
                first = Math.Min(first, visible.First(row, start + i));
                turned.Take(at.Query + (row * length + start + i) * at.QueryStep + (long)head * size, start + i, scale, query + i * padded);
                plain.Take(at.Gradient + result, 0, T.One, given + i * padded);
                deltas[i] = Dot(given + i * padded, at.Output + result, size);
                logSums[i] = at.LogSums[(row * shape.Heads + head) * length + start + i];
            }
            new Span<T>(query + count * padded, (queries - count) * padded).Clear();
            new Span<T>(given + count * padded, (queries - count) * padded).Clear();

            var began = false;
            var end = AttentionShape.PaddedKeys(start + count);
            for (var key = first / 16 * 16; key < end; key += width, began = true)
            {
                var block = Math.Min(width, end - key);
                BlockProduct.Run(queries, block, size, query, padded, 1, acrossKeys + key, keys, scores, width, false);
                BlockProduct.Run(queries, block, size, given, padded, 1, acrossValues + key, keys, gradient, width, false);
                for (var i = 0; i < count; i++)
                {
                    T* line = scores + i * width;
                    int from = Math.Clamp(visible.First(row, start + i) - key, 0, block),
                        to = Math.Clamp(start + i + 1 - key, from, block);
                    if (shape.SoftCap > 0)
                    {
                        ScoreRow.Cap(line, block, cap);
                        ScoreRow.Slopes(line, slopes + i * width, block, cap);
                    }
                    ScoreRow.Cut(line, block, from, to, gaps, row, start + i, key);
                    ScoreRow.Gradient(line, gradient + i * width, block, logSums[i], deltas[i]);
                    if (shape.SoftCap > 0)
                        ScoreRow.Multiply(gradient + i * width, slopes + i * width, block);
                }
                new Span<T>(scores + count * width, (queries - count) * width).Clear();
                new Span<T>(gradient + count * width, (queries - count) * width).Clear();
                var there = (long)key * padded;
                BlockProduct.Run(block, padded, queries, scores, 1, width, given, padded, valueGradient + there, padded, true);
                BlockProduct.Run(block, padded, queries, gradient, 1, width, query, padded, keyGradient + there, padded, true);
                BlockProduct.Run(queries, padded, block, gradient, width, 1, rowKeys + there, padded, queryGradient, padded, began);
            }
            for (var i = 0; i < count; i++)
                turned.Put(
                    queryGradient + i * padded,
                    start + i,
                    scale,
                    at.QueryGradient + (row * length + start + i) * at.QueryStep + (long)head * size
                );
        }

        for (var t = 0; t < length; t++)
        {
            turned.Put(keyGradient + (long)t * padded, t, T.One, at.KeyGradient + keyStart + t * at.KeyStep);
            plain.Put(valueGradient + (long)t * padded, 0, T.One, at.ValueGradient + valueStart + t * at.ValueStep);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static T Dot<T, S>(T* x, S* y, int count)
        where T : unmanaged, IFloatingPointIeee754<T>
        where S : unmanaged
    {
        Vector256<T> sum = default;
        for (var i = 0; i < count; i += Vector256<T>.Count)
            sum = VectorMath.MultiplyAdd(Vector256.Load(x + i), Stored.Load<T, S>(y + i, count - i), sum);
        return Vector256.Sum(sum);
    }
}
