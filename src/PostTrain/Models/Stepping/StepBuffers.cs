using PostTrain.Operators;

namespace PostTrain.Models;

/// <summary>Memory between the phases of a <see cref="StepBody{T}"/>, for as many rows as were asked for.</summary>
internal sealed unsafe class StepBuffers<T>(DecoderConfig config) : IDisposable
    where T : unmanaged
{
    private Scratch.Block? memory;
    private int rows;

    /// <summary>The residual stream, [B,D].</summary>
    public T* State { get; private set; }

    /// <summary>Output of a norm, [B,D].</summary>
    public T* Normed { get; private set; }

    /// <summary>Output of attention or the feed-forward layer if a norm follows, [B,D].</summary>
    public T* Branch { get; private set; }

    /// <summary>Queries, keys and values, [B,(H + 2 H_kv) Dh].</summary>
    public T* Projected { get; private set; }

    /// <summary>The heads' results, [B,H Dh].</summary>
    public T* Attended { get; private set; }

    /// <summary>Gate and up, [B,2 inner].</summary>
    public T* Gates { get; private set; }

    /// <summary>Input of the second projection, [B,inner].</summary>
    public T* Inner { get; private set; }

    /// <summary>Numbers of a row of <see cref="Projected"/>.</summary>
    public int ProjectedWidth { get; } = (config.Heads + 2 * config.KeyValueHeads) * config.HeadSize;

    /// <summary>Makes room.</summary>
    public void Reserve(int count)
    {
        if (count <= rows)
            return;
        memory?.Dispose();
        long[] widths =
        [
            config.HiddenSize,
            config.HiddenSize,
            config.HiddenSize,
            ProjectedWidth,
            (long)config.Heads * config.HeadSize,
            2L * config.FeedForwardSize,
            config.FeedForwardSize,
        ];
        memory = new Scratch.Block((nuint)(widths.Sum() * count * sizeof(T)));
        rows = count;
        T* next = (T*)memory.Address;
        T* Take(int index)
        {
            var place = next;
            next += widths[index] * count;
            return place;
        }
        State = Take(0);
        Normed = Take(1);
        Branch = Take(2);
        Projected = Take(3);
        Attended = Take(4);
        Gates = Take(5);
        Inner = Take(6);
    }

    public void Dispose()
    {
        memory?.Dispose();
        (memory, rows) = (null, 0);
    }
}
