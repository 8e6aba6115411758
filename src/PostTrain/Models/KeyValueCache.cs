using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>
/// The keys and values of the positions that a model has seen: for each layer two tensors [B,H,capacity,Dh], allocated once and written in place.
/// </summary>
/// <remarks>Made by <see cref="CausalLm.NewCache"/> and filled by <see cref="CausalLm.Hidden"/>. It outlives dispose scopes: dispose it.</remarks>
public sealed class KeyValueCache : IDisposable
{
    private readonly Tensor[] keys;
    private readonly Tensor[] values;

    internal KeyValueCache(int layers, int batch, int heads, int capacity, int headSize, ScalarType type, Device device)
    {
        Batch = batch;
        Capacity = capacity;
        Device = device;
        Tensor Allocate() => zeros([batch, heads, capacity, headSize], dtype: type, device: device).DetachFromDisposeScope();
        keys = [.. Enumerable.Range(0, layers).Select(_ => Allocate())];
        values = [.. Enumerable.Range(0, layers).Select(_ => Allocate())];
    }

    /// <summary>Number of rows, B.</summary>
    public int Batch { get; private set; }

    /// <summary>The most positions that fit.</summary>
    public int Capacity { get; }

    /// <summary>Where the keys and values are: on the model's device.</summary>
    public Device Device { get; }

    /// <summary>Number of positions held.</summary>
    public int Length { get; private set; }

    /// <summary>Keeps the rows named by <paramref name="rows"/> ([N] int64, in that order, repeats allowed), e.g. to drop finished ones.</summary>
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

    /// <summary>Forgets all positions; the memory stays.</summary>
    public void Clear() => Length = 0;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var buffer in keys.Concat(values))
            buffer.Dispose();
    }

    /// <summary>Writes a layer's new keys and values, [B,H,T,Dh], behind the held ones; gives views of all of them, [B,H,Length+T,Dh].</summary>
    internal (Tensor Keys, Tensor Values) Append(int layer, Tensor newKeys, Tensor newValues) =>
        (Append(keys[layer], newKeys), Append(values[layer], newValues));

    /// <summary>Counts the positions that <see cref="Append(int, Tensor, Tensor)"/> has written in every layer.</summary>
    internal void Advance(int count) => Length += count;

    private Tensor Append(Tensor buffer, Tensor added)
    {
        var count = added.size(2);
        using var place = buffer.narrow(2, Length, count);
        place.copy_(added);
        return buffer.narrow(2, 0, Length + count);
    }
}
