using static TorchSharp.torch;

namespace PostTrain.Compression.Pruning;

/// <summary>W ≈ B A.</summary>
/// <param name="A">[r,in]; it belongs to the caller.</param>
/// <param name="B">[out,r]; it belongs to the caller.</param>
/// <param name="Error">The error in the metric of the decomposition: √Σσᵢ² of the singular values that were cut.</param>
public sealed record LowRankFactors(Tensor A, Tensor B, double Error) : IDisposable
{
    /// <summary>B A, fresh, [out,in].</summary>
    public Tensor Product() => B.mm(A);

    /// <summary>Frees both factors.</summary>
    public void Dispose()
    {
        A.Dispose();
        B.Dispose();
    }
}
