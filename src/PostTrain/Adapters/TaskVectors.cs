using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters;

/// <summary>Merging of task vectors, the differences that training made: [...] tensors of one shape and a weight each to one of that
/// shape.</summary>
/// <remarks>As in PEFT's merge_utils. All return fresh tensors.</remarks>
public static class TaskVectors
{
    /// <summary>Σ wᵢ τᵢ (task arithmetic, Ilharco et al. 2022, arXiv:2212.04089, section 2).</summary>
    public static Tensor TaskArithmetic(IReadOnlyList<Tensor> tensors, IReadOnlyList<double> weights)
    {
        Check(tensors, weights);
        using var scope = NewDisposeScope();
        return (Stack(tensors) * Weights(tensors, weights)).sum(0L).MoveToOuterDisposeScope();
    }

    /// <summary>Σ wᵢ prune(τᵢ), each pruned to its largest entries.</summary>
    public static Tensor MagnitudePrune(IReadOnlyList<Tensor> tensors, IReadOnlyList<double> weights, double density)
    {
        using var scope = NewDisposeScope();
        return TaskArithmetic(Pruned(tensors, weights, density), weights).MoveToOuterDisposeScope();
    }

    /// <summary>TIES (Yadav et al. 2023, arXiv:2306.01708, algorithm 1): prune, elect a sign for each entry, average the weighted entries
    /// that agree with it.</summary>
    /// <remarks>The sign is elected before weighting, and the sum is divided by the number of agreeing entries, at least 1, not by their
    /// weights.</remarks>
    public static Tensor Ties(
        IReadOnlyList<Tensor> tensors,
        IReadOnlyList<double> weights,
        double density,
        MajoritySign method = MajoritySign.Total
    )
    {
        using var scope = NewDisposeScope();
        return Agreeing(Pruned(tensors, weights, density), weights, method).MoveToOuterDisposeScope();
    }

    /// <summary>DARE (Yu et al. 2023, arXiv:2311.03099, eq. 2): each entry is kept with probability density and divided by it, then Σ wᵢ
    /// τᵢ. The mean over seeds is that of nothing dropped.</summary>
    public static Tensor DareLinear(IReadOnlyList<Tensor> tensors, IReadOnlyList<double> weights, double density, ulong seed)
    {
        using var scope = NewDisposeScope();
        return TaskArithmetic(Dropped(tensors, weights, density, seed), weights).MoveToOuterDisposeScope();
    }

    /// <summary>DARE's dropping, then TIES' election and average.</summary>
    public static Tensor DareTies(
        IReadOnlyList<Tensor> tensors,
        IReadOnlyList<double> weights,
        double density,
        ulong seed,
        MajoritySign method = MajoritySign.Total
    )
    {
        using var scope = NewDisposeScope();
        return Agreeing(Dropped(tensors, weights, density, seed), weights, method).MoveToOuterDisposeScope();
    }

    /// <summary>Keeps the ⌊density·n⌋ entries of largest magnitude; the others become 0.</summary>
    /// <param name="tensor">[...].</param>
    /// <param name="density">0 to 1.</param>
    public static Tensor PruneByMagnitude(Tensor tensor, double density)
    {
        using var scope = NewDisposeScope();
        var mask = LargestMask(tensor, density);
        return (density >= 1 ? tensor.clone() : tensor * mask).MoveToOuterDisposeScope();
    }

    /// <summary>The ⌊density·n⌋ entries of largest magnitude: bool, true for them.</summary>
    internal static Tensor LargestMask(Tensor tensor, double density)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        Guard.Fraction(density, nameof(density));
        using var scope = NewDisposeScope();
        if (density >= 1)
            return ones_like(tensor, dtype: ScalarType.Bool).MoveToOuterDisposeScope();
        var kept = tensor.abs().reshape(-1).topk((int)(density * tensor.numel())).indexes;
        var mask = zeros(tensor.numel(), dtype: ScalarType.Bool, device: tensor.device).index_fill(0, kept, true);
        return mask.reshape(tensor.shape).MoveToOuterDisposeScope();
    }

    /// <summary>Keeps each entry with probability density, and divides it by the density.</summary>
    /// <param name="tensor">[...].</param>
    /// <param name="density">Above 0, to 1.</param>
    /// <param name="seed">The same seed keeps the same entries.</param>
    /// <param name="stream">Another stream of the same seed.</param>
    public static Tensor DropAtRandom(Tensor tensor, double density, ulong seed, ulong stream = 0)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        Guard.Fraction(density, nameof(density));
        if (density == 0)
            throw new ArgumentOutOfRangeException(nameof(density), density, "density must be above 0, as what is kept is divided by it");
        using var scope = NewDisposeScope();
        if (density >= 1)
            return tensor.clone().MoveToOuterDisposeScope();
        var kept = new bool[tensor.numel()];
        for (var i = 0; i < kept.Length; i++)
            kept[i] = CounterRandom.Uniform(seed, stream, (ulong)i) < density;
        return (tensor * torch.tensor(kept, device: tensor.device).reshape(tensor.shape) / density).MoveToOuterDisposeScope();
    }

    /// <summary>Which entries have the elected sign: [N,...] task vectors to bool [N,...]. A zero agrees with no sign; where the votes
    /// cancel, plus is elected.</summary>
    public static Tensor MajoritySigns(Tensor tensors, MajoritySign method = MajoritySign.Total)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        using var scope = NewDisposeScope();
        var signs = tensors.sign();
        var votes = (method == MajoritySign.Total ? tensors : signs).sum(0L);
        var elected = votes.ge(0).to_type(signs.dtype) * 2 - 1;
        return signs.eq(elected).MoveToOuterDisposeScope();
    }

    /// <summary>The mean of the entries that count: Σ τᵢ mᵢ / max(1, Σ mᵢ); [N,...] values and masks to [...].</summary>
    public static Tensor DisjointMean(Tensor tensors, Tensor mask)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentNullException.ThrowIfNull(mask);
        Guard.SameShape(mask, nameof(mask), tensors, nameof(tensors));
        using var scope = NewDisposeScope();
        return ((tensors * mask).sum(0L) / mask.to_type(tensors.dtype).sum(0L).clamp_min(1)).MoveToOuterDisposeScope();
    }

    private static Tensor Agreeing(IReadOnlyList<Tensor> tensors, IReadOnlyList<double> weights, MajoritySign method)
    {
        var all = Stack(tensors);
        return DisjointMean(all * Weights(tensors, weights), MajoritySigns(all, method));
    }

    private static Tensor[] Pruned(IReadOnlyList<Tensor> tensors, IReadOnlyList<double> weights, double density)
    {
        Check(tensors, weights);
        return [.. tensors.Select(tensor => PruneByMagnitude(tensor, density))];
    }

    private static Tensor[] Dropped(IReadOnlyList<Tensor> tensors, IReadOnlyList<double> weights, double density, ulong seed)
    {
        Check(tensors, weights);
        return [.. tensors.Select((tensor, i) => DropAtRandom(tensor, density, seed, (ulong)i))];
    }

    private static Tensor Stack(IReadOnlyList<Tensor> tensors) => stack(tensors.ToArray(), 0);

    private static Tensor Weights(IReadOnlyList<Tensor> tensors, IReadOnlyList<double> weights) =>
        torch
            .tensor(weights.ToArray(), dtype: tensors[0].dtype, device: tensors[0].device)
            .reshape([weights.Count, .. Enumerable.Repeat(1L, (int)tensors[0].dim())]);

    private static void Check(IReadOnlyList<Tensor> tensors, IReadOnlyList<double> weights)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentNullException.ThrowIfNull(weights);
        if (tensors.Count == 0 || tensors.Count != weights.Count)
            throw new ArgumentException(
                $"{tensors.Count} tensors and {weights.Count} weights are given, expected at least one and as many of each",
                nameof(weights)
            );
        foreach (var tensor in tensors)
            Guard.SameShape(tensor, nameof(tensors), tensors[0], "the first");
    }
}
