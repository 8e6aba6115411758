using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>
/// The keys and values of the positions that a model has seen: for each layer two tensors [B,H,capacity,Dh], allocated once and written in
/// place.
/// </summary>
/// <remarks>Made by <see cref="CausalLm.NewCache"/> and filled by <see cref="CausalLm.Hidden"/>. It outlives dispose scopes: dispose
/// it.</remarks>
public sealed class KeyValueCache : IDisposable
{
    private readonly Tensor[] keys;
    private readonly Tensor[] values;

    internal KeyValueCache(int layers, int batch, int heads, int capacity, int headSize, ScalarType type, Device device)
    {
        Batch = batch;
        Room = capacity;
        Device = device;
        Type = type;
        Tensor Allocate() => zeros([batch, heads, capacity, headSize], dtype: type, device: device).DetachFromDisposeScope();
        keys = [.. Enumerable.Range(0, layers).Select(_ => Allocate())];
        values = [.. Enumerable.Range(0, layers).Select(_ => Allocate())];
    }

    /// <summary>Number of rows, B.</summary>
    public int Batch { get; private set; }

    /// <summary>The most positions that fit.</summary>
    public int Capacity => Room - Reserved;

    /// <summary>Type of the keys and values: that of the model's weights when the cache was made.</summary>
    internal ScalarType Type { get; }

    /// <summary>Where the keys and values are: on the model's device.</summary>
    public Device Device { get; }

    /// <summary>Number of positions held.</summary>
    public int Length => Math.Max(0, Held - Reserved);

    /// <summary>Number of positions held, those of a soft prompt included.</summary>
    internal int Held { get; private set; }

    /// <summary>Positions that a soft prompt takes before the first token; neither <see cref="Length"/> nor <see cref="Capacity"/> counts
    /// them.</summary>
    internal int Reserved { get; private set; }

    /// <summary>The most positions that fit, those of a soft prompt included.</summary>
    internal int Room { get; }

    /// <summary>Keeps the rows named by <paramref name="rows"/> ([N] int64, in that order, repeats allowed), e.g. to drop finished
    /// ones.</summary>
    public void SelectRows(Tensor rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.Dimensions != 1)
            throw new ArgumentException($"rows has {rows.Dimensions} dimensions, expected 1.", nameof(rows));
        using var mode = no_grad();
        foreach (var buffers in new[] { keys, values })
        {
            for (var layer = 0; layer < buffers.Length; layer++)
            {
                var kept = buffers[layer].index_select(0, rows).DetachFromDisposeScope();
                buffers[layer].Dispose();
                buffers[layer] = kept;
            }
        }

        Batch = checked((int)rows.NumberOfElements);
    }

    /// <summary>Forgets the first positions behind a soft prompt's, which are padding in every row, so that there is room for as many at
    /// the end.</summary>
    internal void DropFirst(int count)
    {
        using var mode = no_grad();
        foreach (var buffer in keys.Concat(values))
        {
            using var rest = buffer.narrow(2, Reserved + count, Held - Reserved - count);
            using var copy = rest.clone();
            using var place = buffer.narrow(2, Reserved, Held - Reserved - count);
            place.copy_(copy);
        }

        Held -= count;
    }

    /// <summary>Forgets all positions; the memory stays.</summary>
    public void Clear() => Held = 0;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var buffer in keys.Concat(values))
            buffer.Dispose();
    }

    /// <summary>Writes a layer's new keys and values, [B,H,T,Dh], behind the held ones; gives views of all of them,
    /// [B,H,Held+T,Dh].</summary>
    internal (Tensor Keys, Tensor Values) Append(int layer, Tensor newKeys, Tensor newValues) =>
        (Append(keys[layer], newKeys), Append(values[layer], newValues));

    /// <summary>Counts the positions that <see cref="Append(int, Tensor, Tensor)"/> has written in every layer.</summary>
    internal void Advance(int count) => Held += count;

    /// <summary>What is held: views [B,H,Held,Dh], of each layer the keys, then the values.</summary>
    internal IEnumerable<Tensor> Contents() =>
        keys.Zip(values).SelectMany(layer => new[] { layer.First, layer.Second }).Select(buffer => buffer.narrow(2, 0, Held));

    /// <summary>Leaves <paramref name="count"/> positions for a soft prompt.</summary>
    internal void Reserve(int count) => Reserved += count;

    private Tensor Append(Tensor buffer, Tensor added)
    {
        var count = added.size(2);
        using var place = buffer.narrow(2, Held, count);
        place.copy_(added);
        return buffer.narrow(2, 0, Held + count);
    }
}
