using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Pruning;

/// <summary>A weight with entries removed.</summary>
/// <param name="Weight">[out,in] with zeros; it belongs to the caller.</param>
/// <param name="Kept">Bool, [out,in]: whether an entry stays; it belongs to the caller.</param>
public sealed record PrunedWeight(Tensor Weight, Tensor Kept) : IDisposable
{
    /// <summary>The part of the entries that was removed.</summary>
    public double Removed()
    {
        using var scope = NewDisposeScope();
        return 1 - Kept.sum().ToDouble() / Kept.NumberOfElements;
    }

    /// <summary>Frees both tensors.</summary>
    public void Dispose()
    {
        Weight.Dispose();
        Kept.Dispose();
    }
}
