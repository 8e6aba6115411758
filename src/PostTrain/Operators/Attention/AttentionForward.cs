using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PostTrain.Operators;

/// <summary>Causal attention over blocks of keys with a running maximum (Rabe and Staats 2021, arXiv:2112.05682; Dao et al. 2022,
/// arXiv:2205.14135): no row of scores is kept, only the logarithm of its sum.</summary>
internal static unsafe class AttentionForward
{
    /// <summary>Writes the result and the log-sums.</summary>
    internal static void Run<T, S>(AttentionShape shape, VisibleKeys visible, AttentionPointers<T, S> at)
        where T : unmanaged, IFloatingPointIeee754<T>
        where S : unmanaged
    {
        long parts = (long)shape.Batch * shape.KeyValueHeads;
        // A score costs about as much as ten numbers of a simple kernel.
        long work = parts * shape.Group * shape.Length * shape.Length * 10;
        Workers.Run(parts, work, part => Part(shape, visible, at, part / shape.KeyValueHeads, (int)(part % shape.KeyValueHeads)));
    }

    // Keys and values of one head, and all query heads that look at them.
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
        using var memory = Scratch.Take((nuint)(2L * keys * padded + queries * (2 * padded + width) + 2 * queries) * (nuint)sizeof(T));
        T* turnedKeys = (T*)memory.Address,
            values = turnedKeys + (long)keys * padded,
            query = values + (long)keys * padded,
            sums = query + queries * padded,
            scores = sums + queries * padded,
            maxima = scores + queries * width,
            totals = maxima + queries;

        var angles = shape.Angles > 1 ? row * length * shape.Turned : 0;
        var turned = new HeadRows<T>(Offset(at.Cosines, angles), Offset(at.Sines, angles), shape.Turned, size, padded);
        var plain = new HeadRows<T>(null, null, 0, size, padded);
        KeysAcross(turned, at.Key + row * length * at.KeyStep + group * size, at.KeyStep, length, keys, size, query, turnedKeys);
        for (var t = 0; t < length; t++)
            plain.Take(at.Value + (row * length + t) * at.ValueStep + group * size, t, T.One, values + (long)t * padded);
        new Span<T>(values + (long)length * padded, (keys - length) * padded).Clear();

        var scale = VectorMath.Number<T>(shape.Scale);
        var cap = VectorMath.Number<T>(shape.SoftCap);
        var gaps = visible.HasGaps ? visible : null;
        for (var head = group * shape.Group; head < (group + 1) * shape.Group; head++)
        for (var start = 0; start < length; start += queries)
        {
            var count = Math.Min(queries, length - start);
            var first = int.MaxValue;
            for (var i = 0; i < count; i++)
            {
                first = Math.Min(first, visible.First(row, start + i));
                turned.Take(at.Query + (row * length + start + i) * at.QueryStep + (long)head * size, start + i, scale, query + i * padded);
                (maxima[i], totals[i]) = (T.NegativeInfinity, T.Zero);
            }
            new Span<T>(query + count * padded, (queries - count) * padded).Clear();

            var began = false;
            var end = AttentionShape.PaddedKeys(start + count);
            for (var key = first / 16 * 16; key < end; key += width, began = true)
            {
                var block = Math.Min(width, end - key);
                BlockProduct.Run(queries, block, size, query, padded, 1, turnedKeys + key, keys, scores, width, false);
                for (var i = 0; i < count; i++)
                {
                    T* line = scores + i * width;
                    int from = Math.Clamp(visible.First(row, start + i) - key, 0, block),
                        to = Math.Clamp(start + i + 1 - key, from, block);
                    if (shape.SoftCap > 0)
                        ScoreRow.Cap(line, block, cap);
                    ScoreRow.Cut(line, block, from, to, gaps, row, start + i, key);
                    var greatest = T.MaxNative(maxima[i], ScoreRow.Max(line, block));
                    if (greatest == T.NegativeInfinity)
                    {
                        new Span<T>(line, block).Clear();
                        continue;
                    }
                    if (began && greatest != maxima[i])
                    {
                        var shrink = T.Exp(maxima[i] - greatest);
                        totals[i] *= shrink;
                        Shrink(sums + i * padded, padded, shrink);
                    }
                    totals[i] += ScoreRow.Exponentials(line, block, greatest);
                    maxima[i] = greatest;
                }
                new Span<T>(scores + count * width, (queries - count) * width).Clear();
                BlockProduct.Run(queries, padded, block, scores, width, 1, values + (long)key * padded, padded, sums, padded, began);
            }

            for (var i = 0; i < count; i++)
            {
                plain.Put(sums + i * padded, 0, T.One / totals[i], at.Output + ((row * length + start + i) * shape.Heads + head) * size);
                if (at.LogSums != null)
                    at.LogSums[(row * shape.Heads + head) * length + start + i] = maxima[i] + T.Log(totals[i]);
            }
        }
    }

    /// <summary>The keys of a head as columns, [Dh,keys]: zeros where there is no key.</summary>
    /// <param name="rows">Turns them.</param>
    /// <param name="from">Of position 0.</param>
    /// <param name="step">From position to position.</param>
    /// <param name="length">Positions.</param>
    /// <param name="keys">Columns.</param>
    /// <param name="size">Dh.</param>
    /// <param name="line">Room for one row.</param>
    /// <param name="to">The columns.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void KeysAcross<T, S>(HeadRows<T> rows, S* from, long step, int length, int keys, int size, T* line, T* to)
        where T : unmanaged, IFloatingPointIeee754<T>
        where S : unmanaged
    {
        for (var t = 0; t < length; t++)
        {
            rows.Take(from + t * step, t, T.One, line);
            for (var d = 0; d < size; d++)
                to[(long)d * keys + t] = line[d];
        }
        for (var d = 0; d < size; d++)
            new Span<T>(to + (long)d * keys + length, keys - length).Clear();
    }

    internal static T* Offset<T>(T* from, long count)
        where T : unmanaged => from == null ? null : from + count;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Shrink<T>(T* values, int count, T factor)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (var i = 0; i < count; i += Vector256<T>.Count)
            (Vector256.Load(values + i) * factor).Store(values + i);
    }
}
