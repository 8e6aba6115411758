using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Pruning;

/// <summary>Masks from scores: the entries with the least ones are removed. Score functions of one's own go in here.</summary>
public static class Masks
{
    /// <summary>The least of the whole matrix go: everything up to and with the score at index ⌊size · fraction⌋ of the sorted ones, as the
    /// authors of Wanda and SparseGPT do it; of N:M the N least of each group.</summary>
    /// <param name="scores">[out,in].</param>
    /// <param name="sparsity">How much goes. A fraction of 0 removes nothing.</param>
    /// <returns>Whether an entry stays, bool, [out,in], fresh.</returns>
    /// <exception cref="ArgumentException">It is no matrix of numbers, or its rows are not whole groups.</exception>
    public static Tensor OfMatrix(Tensor scores, Sparsity sparsity)
    {
        Check(scores, sparsity);
        if (sparsity.IsStructured)
            return OfGroups(scores, sparsity);
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        if (sparsity.Fraction == 0)
            return ones_like(scores, dtype: ScalarType.Bool).MoveToOuterDisposeScope();
        var index = Math.Min((long)(scores.numel() * sparsity.Fraction), scores.numel() - 1);
        var threshold = scores.detach().reshape(-1).sort().Values[index];
        return scores.detach().gt(threshold).MoveToOuterDisposeScope();
    }

    /// <summary>The ⌊columns · fraction⌋ least of each row go; of N:M the N least of each group.</summary>
    /// <inheritdoc cref="OfMatrix"/>
    public static Tensor OfRows(Tensor scores, Sparsity sparsity)
    {
        Check(scores, sparsity);
        if (sparsity.IsStructured)
            return OfGroups(scores, sparsity);
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        return Least(scores.detach(), (long)(scores.size(1) * sparsity.Fraction)).MoveToOuterDisposeScope();
    }

    private static Tensor OfGroups(Tensor scores, Sparsity sparsity)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        return Least(scores.detach().reshape(-1, sparsity.Of), sparsity.Removed).reshape(scores.shape).MoveToOuterDisposeScope();
    }

    private static Tensor Least(Tensor scores, long count)
    {
        var order = scores.argsort(1L);
        return ones_like(scores, dtype: ScalarType.Bool)
            .scatter(1, order.narrow(1, 0, count), zeros([scores.size(0), count], dtype: ScalarType.Bool, device: scores.device));
    }

    private static void Check(Tensor scores, Sparsity sparsity)
    {
        Guard.Rank(scores, nameof(scores), 2, "[out, in]");
        Guard.Floating(scores, nameof(scores));
        if (scores.numel() == 0)
            throw new ArgumentException($"scores has shape {Guard.Shape(scores)}, expected at least one entry", nameof(scores));
        sparsity.Fit(scores.size(1), nameof(scores));
        using var scope = NewDisposeScope();
        if (scores.isnan().any().ToBoolean())
            throw new ArgumentException("scores holds NaN, expected numbers that can be compared", nameof(scores));
    }
}
