using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>Extracts the positions that a mask counts, and writes their results back among zeros.</summary>
/// <remarks>Uncounted positions are not read at all: a NaN there reaches neither a value nor a gradient. Tensors belong to the caller's
/// scope.</remarks>
internal readonly struct CountedRows(Tensor mask)
{
    private readonly Tensor rows = mask.reshape(-1).nonzero().squeeze(-1);
    private readonly long[] shape = mask.shape;

    /// <summary>Maps [..., D] to [N, D], the counted rows.</summary>
    internal Tensor Vectors(Tensor values) => values.reshape(-1, values.shape[^1]).index_select(0, rows);

    /// <summary>Maps [...] to [N].</summary>
    internal Tensor Numbers(Tensor values) => values.reshape(-1).index_select(0, rows);

    /// <summary>Maps [N] back to the mask's shape, 0 elsewhere.</summary>
    internal Tensor Spread(Tensor values)
    {
        long size = 1;
        foreach (long length in shape)
            size *= length;
        return values.new_zeros(size).index_copy(0, rows, values).view(shape);
    }
}
