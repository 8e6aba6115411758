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

    // Of the tensors above, keys first; null where they are not known.
    private nint[]? addresses;

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

    private KeyValueCache(Tensor[] keys, Tensor[] values, int rows, KeyValueCache source)
    {
        (this.keys, this.values) = (keys, values);
        (Batch, Room, Device, Type) = (rows, source.Held, source.Device, source.Type);
        (Held, Reserved) = (source.Held, source.Reserved);
    }

    /// <summary>Number of rows, B.</summary>
    public int Batch { get; private set; }

    /// <summary>The most positions that fit.</summary>
    public int Capacity => Room - Reserved;

    /// <summary>Type of the keys and values: that of the model's weights when the cache was made.</summary>
    internal ScalarType Type { get; }

    /// <summary>The device of the keys and values: the model's.</summary>
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

        addresses = null;

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

    /// <summary>Bytes of the keys and values, those of places that hold nothing yet included.</summary>
    internal long Bytes => keys.Concat(values).Sum(buffer => buffer.numel() * buffer.element_size());

    /// <summary>Copies of some rows ([N] int64), as far as they are held: what other rows go on from later. The caller disposes
    /// it.</summary>
    internal KeyValueCache CopyRows(Tensor rows)
    {
        using var mode = no_grad();
        Tensor[] Copies(Tensor[] buffers) =>
            Array.ConvertAll(
                buffers,
                buffer =>
                {
                    using var held = buffer.narrow(2, 0, Held);
                    return held.index_select(0, rows).DetachFromDisposeScope();
                }
            );
        return new KeyValueCache(Copies(keys), Copies(values), checked((int)rows.NumberOfElements), this);
    }

    /// <summary>Fills an empty cache with the keys and values of rows of other caches, position by position.</summary>
    /// <param name="sources">Caches of the same model.</param>
    /// <param name="origins">For each row, the number of its source and its row there.</param>
    /// <param name="positions">For each row, the position in its source that each position is taken from, those of a soft prompt
    /// included; as many for every row.</param>
    internal void Fill(IReadOnlyList<KeyValueCache> sources, IReadOnlyList<(int Source, int Row)> origins, IReadOnlyList<long[]> positions)
    {
        var width = positions[0].Length;
        Held = width;
        if (keys.Length == 0)
            return;
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var (heads, size) = (keys[0].size(1), keys[0].size(3));
        // The sources' buffers as one list of vectors [.., Dh]: a source's element (row, head, position) is row·H·C + head·C + position.
        var starts = new long[sources.Count];
        for (var i = 1; i < starts.Length; i++)
            starts[i] = starts[i - 1] + heads * sources[i - 1].Batch * sources[i - 1].Room;
        long[] rows = [.. origins.Select(origin => starts[origin.Source] + heads * origin.Row * sources[origin.Source].Room)];
        long[] rooms = [.. origins.Select(origin => (long)sources[origin.Source].Room)];
        using var head = arange(heads, dtype: ScalarType.Int64, device: Device).view(1, heads, 1);
        var places =
            tensor(rows, [rows.Length, 1, 1], device: Device)
            + tensor(rooms, [rows.Length, 1, 1], device: Device) * head
            + tensor(positions.SelectMany(row => row).ToArray(), [rows.Length, 1, width], device: Device);
        var index = places.view(-1);
        for (var layer = 0; layer < keys.Length; layer++)
        {
            Copy(keys[layer], [.. sources.Select(source => source.keys[layer])]);
            Copy(values[layer], [.. sources.Select(source => source.values[layer])]);
        }

        void Copy(Tensor target, Tensor[] from)
        {
            using var part = NewDisposeScope();
            Tensor[] flat = Array.ConvertAll(from, buffer => buffer.view(-1, size));
            var vectors = flat.Length == 1 ? flat[0] : cat(flat, 0);
            target.narrow(2, 0, width).copy_(vectors.index_select(0, index).view(rows.Length, heads, width, size));
        }
    }

    /// <summary>Forgets all positions; the memory stays.</summary>
    public void Clear() => Held = 0;

    /// <summary>Made by the decoder for passes over one position.</summary>
    internal IPositionStep? Step { get; set; }

    /// <summary>True if the decoder has no such pass.</summary>
    internal bool HasNoStep { get; set; }

    /// <summary>Finds the memory for <see cref="At"/>.</summary>
    internal unsafe void Locate() =>
        addresses ??= [.. keys.Concat(values).Select(buffer => (nint)Operators.TensorMemory.Address<byte>(buffer))];

    /// <summary>Memory of the keys and values of a head in CPU memory, [capacity,Dh], <paramref name="offset"/> bytes behind the first of
    /// the
    /// layer; after <see cref="Locate"/>.</summary>
    internal (nint Keys, nint Values) At(int layer, long offset) =>
        (addresses![layer] + (nint)offset, addresses[keys.Length + layer] + (nint)offset);

    /// <inheritdoc/>
    public void Dispose()
    {
        Step?.Dispose();
        foreach (var buffer in keys.Concat(values))
            buffer.Dispose();
    }

    /// <summary>Writes a layer's new keys and values, [B,H,T,Dh], behind the held ones; gives views of all of them,
    /// [B,H,Held+T,Dh].</summary>
    internal (Tensor Keys, Tensor Values) Append(int layer, Tensor newKeys, Tensor newValues) =>
        (Append(keys[layer], newKeys), Append(values[layer], newValues));

    /// <summary>Counts the positions that <see cref="Append(int, Tensor, Tensor)"/> has written in every layer.</summary>
    internal void Advance(int count) => Held += count;

    /// <summary>The contents: views [B,H,Held,Dh], for each layer the keys, then the values.</summary>
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
