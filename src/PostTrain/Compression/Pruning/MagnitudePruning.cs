using PostTrain.Numerics;
using static TorchSharp.torch;

namespace PostTrain.Compression.Pruning;

/// <summary>Pruning by |w| (Han et al. 2015, arXiv:1506.02626).</summary>
internal static class MagnitudePruning
{
    /// <summary>Removes the smallest entries of a matrix.</summary>
    /// <param name="weight">[out,in].</param>
    /// <param name="sparsity">The removed part; see <see cref="Masks.OfMatrix"/>.</param>
    public static PrunedWeight Prune(Tensor weight, Sparsity sparsity)
    {
        Guard.Rank(weight, nameof(weight), 2, "[out, in]");
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var kept = Masks.OfMatrix(weight.detach().abs(), sparsity);
        return new PrunedWeight(
            weight.detach().masked_fill(kept.logical_not(), 0).MoveToOuterDisposeScope(),
            kept.MoveToOuterDisposeScope()
        );
    }
}
