using System.Numerics;
using System.Runtime.Intrinsics;
using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>Attention of all layers at one position: turns queries and keys, adds keys and values to the cache, and attends.</summary>
internal sealed unsafe class StepAttention<T>(DecoderConfig config, AttentionViews views, KeyValueCache cache)
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private readonly StepPlaces places = new(views.Windows);
    private readonly (nint Cosines, nint Sines, int Turned)[] angles = new (nint, nint, int)[views.Rotaries.Length];
    private readonly int group = config.Heads / config.KeyValueHeads;

    /// <summary>Position of a row's token in its sequence.</summary>
    public int Position(int row) => places.Positions[row];

    /// <summary>Reads what each row sees, and finds the tables of the rotary embeddings.</summary>
    public void Prepare(int rows, int length, Tensor? segments, Tensor like)
    {
        places.Read(segments, rows, length);
        cache.Locate();
        for (var i = 0; i < angles.Length; i++)
        {
            var (cosines, sines) = views.Rotaries[i].Tables(length, like);
            angles[i] = ((nint)TensorMemory.Address<T>(cosines), (nint)TensorMemory.Address<T>(sines), views.Rotaries[i].Size);
        }
    }

    /// <summary>The query heads of one key and value head of a row.</summary>
    public void Run(StepLayer<T> layer, int row, int head, StepBuffers<T> buffers)
    {
        int size = config.HeadSize,
            vector = Vector256<T>.Count,
            padded = (size + vector - 1) / vector * vector,
            length = places.Length;
        var kind = views.Kinds[layer.Layer % views.Kinds.Length];
        var spec = config.Attention[layer.Layer];
        using var memory = Scratch.Take((nuint)((group + 1L) * padded + CachedAttention.Room(group, length, vector)) * (nuint)sizeof(T));
        T* queries = (T*)memory.Address,
            line = queries + group * padded,
            scores = line + padded;

        T* own = buffers.Projected + (long)row * buffers.ProjectedWidth,
            query = own + (long)head * group * size,
            key = own + (long)(config.Heads + head) * size,
            value = own + (long)(config.Heads + config.KeyValueHeads + head) * size;
        for (var i = 0; i < group && layer.QueryNorm is not null; i++)
            layer.QueryNorm.Run(query + i * size, query + i * size, size);
        layer.KeyNorm?.Run(key, key, size);

        var turn = new HeadRows<T>(null, null, 0, size, padded);
        if (kind.Rotary >= 0)
        {
            var (cosines, sines, turned) = angles[kind.Rotary];
            var at = (long)places.Positions[row] * turned;
            turn = new HeadRows<T>((T*)cosines + at, (T*)sines + at, turned, size, padded);
        }
        var scale = VectorMath.Number<T>(spec.Scale ?? 1 / Math.Sqrt(size));
        for (var i = 0; i < group; i++)
            turn.Take(query + i * size, 0, scale, queries + i * padded);
        turn.Take(key, 0, T.One, line);

        var offset = ((long)row * config.KeyValueHeads + head) * cache.Room * size * sizeof(T);
        var (keys, values) = cache.At(layer.Layer, offset);
        T* allKeys = (T*)keys,
            allValues = (T*)values;
        new ReadOnlySpan<T>(line, size).CopyTo(new Span<T>(allKeys + (long)(length - 1) * size, size));
        new ReadOnlySpan<T>(value, size).CopyTo(new Span<T>(allValues + (long)(length - 1) * size, size));
        fixed (long* gaps = places.Gaps(row))
        {
            CachedAttention.Run(
                group,
                queries,
                padded,
                allKeys,
                allValues,
                size,
                places.First[kind.Window][row],
                length,
                gaps,
                VectorMath.Number<T>(spec.SoftCap ?? 0),
                scores,
                buffers.Attended + ((long)row * config.Heads + head * group) * size
            );
        }
    }
}
