using PostTrain.Adapters;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Merging;

/// <summary>Weighted sums of tensors, and of task vectors over a base.</summary>
public static class LinearMerge
{
    // Below it a sum of weights counts as 0, and divides nothing.
    private const double LeastSum = 1e-8;

    /// <summary>Σ wᵢ θᵢ, or Σ wᵢ θᵢ / Σ wᵢ (model soups, Wortsman et al. 2022, arXiv:2203.05482).</summary>
    /// <param name="tensors">θ, [...] each.</param>
    /// <param name="weights">w, one a tensor.</param>
    /// <param name="normalize">True to divide the sum by the sum of the weights, which must not be 0.</param>
    public static Tensor Average(IReadOnlyList<Tensor> tensors, IReadOnlyList<double> weights, bool normalize = true)
    {
        MergeCheck.Tensors(tensors, 1);
        MergeCheck.Weights(weights, tensors.Count);
        var sum = weights.Sum();
        if (normalize && Math.Abs(sum) < LeastSum)
            throw new ArgumentOutOfRangeException(nameof(weights), sum, "weights must not add up to 0 where the sum is divided by theirs");
        using var scope = NewDisposeScope();
        var result = Sum(tensors, weights);
        return (normalize ? result / sum : result).MoveToOuterDisposeScope();
    }

    /// <summary>Base and task vectors, elected by sign or not: θ₀ + λ Σ wᵢ τᵢ (task arithmetic, Ilharco et al. 2022, arXiv:2212.04089),
    /// and TIES' election and mean (Yadav et al. 2023, arXiv:2306.01708, algorithm 1).</summary>
    /// <remarks>
    /// <para>mergekit's convention: the sign of an entry is that of the weighted task vectors' sum (or of the count of signs), plus if that
    /// is 0; entries of another sign, and zeros, are dropped. If normalised, the sum is divided by the weights of the rest (1 if they add
    /// up to 0), or without an election by all weights.</para>
    /// <para>PEFT's convention: the sign is elected before weighting, and with an election the sum is always divided by the number of
    /// entries that agree, at least 1.</para>
    /// </remarks>
    /// <param name="origin">θ₀, [...].</param>
    /// <param name="deltas">τ, [...] each, sparsified or not.</param>
    /// <param name="weights">w, one a task vector.</param>
    /// <param name="election">The election of signs; null: all entries count.</param>
    /// <param name="normalize">True to divide the sum by the weights.</param>
    /// <param name="lambda">λ.</param>
    /// <param name="convention">The rules.</param>
    public static Tensor Combine(
        Tensor origin,
        IReadOnlyList<Tensor> deltas,
        IReadOnlyList<double> weights,
        MajoritySign? election = null,
        bool normalize = false,
        double lambda = 1,
        Convention convention = Convention.Mergekit
    )
    {
        Guard.Floating(origin, nameof(origin));
        MergeCheck.Tensors(deltas, 1, origin);
        MergeCheck.Weights(weights, deltas.Count);
        MergeCheck.Finite(lambda, nameof(lambda));
        using var scope = NewDisposeScope();
        return (origin + Mixed(deltas, weights, election, normalize, convention) * lambda).MoveToOuterDisposeScope();
    }

    private static Tensor Mixed(
        IReadOnlyList<Tensor> deltas,
        IReadOnlyList<double> weights,
        MajoritySign? election,
        bool normalize,
        Convention convention
    )
    {
        if (election is not { } method)
        {
            var sum = weights.Sum();
            var plain = Sum(deltas, weights);
            return normalize && Math.Abs(sum) >= LeastSum ? plain / sum : plain;
        }

        var all = stack(deltas.ToArray(), 0);
        var column = MergeCheck.Column(weights, deltas[0]);
        var weighted = all * column;
        if (convention == Convention.Peft)
            return TaskVectors.DisjointMean(weighted, TaskVectors.MajoritySigns(all, method));
        var agrees = TaskVectors.MajoritySigns(weighted, method);
        var mixed = (weighted * agrees).sum(0L);
        if (!normalize)
            return mixed;
        var divisor = (column * agrees).sum(0L);
        return mixed / where(divisor.eq(0), ones_like(divisor), divisor);
    }

    // Term by term: no stack of all.
    private static Tensor Sum(IReadOnlyList<Tensor> tensors, IReadOnlyList<double> weights)
    {
        var result = tensors[0] * weights[0];
        for (var i = 1; i < tensors.Count; i++)
        {
            using var term = tensors[i] * weights[i];
            result.add_(term);
        }

        return result;
    }
}
