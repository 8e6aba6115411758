using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Pruning;

/// <summary>Wanda (Sun et al. 2023, arXiv:2306.11695, eq. 1): entries with the least |w| ‖x‖ of each row go. For inputs that are orthogonal
/// it is the best mask there is.</summary>
public static class WandaPruning
{
    private const double Tolerance = 0.001;

    /// <summary>|w| · √(Σx²/sequences), [out,in], fresh.</summary>
    /// <param name="weight">[out,in].</param>
    /// <param name="featureNormSquared">[in] (<see cref="LayerStatistics.FeatureNormSquared"/>), not negative.</param>
    public static Tensor Scores(Tensor weight, Tensor featureNormSquared)
    {
        Guard.Rank(weight, nameof(weight), 2, "[out, in]");
        Guard.Rank(featureNormSquared, nameof(featureNormSquared), 1, "[in]");
        if (featureNormSquared.size(0) != weight.size(1))
            throw new ArgumentException(
                $"featureNormSquared has shape {Guard.Shape(featureNormSquared)}, expected [{weight.size(1)}] as the weight's columns",
                nameof(featureNormSquared)
            );
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var w = weight.detach().AtLeastSingle();
        return (w.abs() * featureNormSquared.detach().to_type(w.dtype).sqrt()).MoveToOuterDisposeScope();
    }

    /// <summary>Removes the entries with the least scores of each row.</summary>
    /// <param name="weight">[out,in].</param>
    /// <param name="featureNormSquared">[in].</param>
    /// <param name="sparsity">How much of each row.</param>
    /// <param name="byCumulativeScore">The authors' variant: of each row everything whose scores, summed from the least one on, are at most
    /// α of the row's sum, with one α for the matrix, by bisection in [0, 0.8] until the fraction is met within 0.001. Rows then differ in
    /// how much they lose. Not with N:M.</param>
    /// <exception cref="ArgumentException">Shapes do not agree.</exception>
    public static PrunedWeight Prune(Tensor weight, Tensor featureNormSquared, Sparsity sparsity, bool byCumulativeScore = false)
    {
        if (byCumulativeScore && sparsity.IsStructured)
            throw new ArgumentException($"byCumulativeScore is given with {sparsity}, expected a fraction", nameof(byCumulativeScore));
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var scores = Scores(weight, featureNormSquared);
        var kept = byCumulativeScore ? ByCumulativeScore(scores, sparsity.Fraction).Kept : Masks.OfRows(scores, sparsity);
        return new PrunedWeight(
            weight.detach().masked_fill(kept.logical_not(), 0).MoveToOuterDisposeScope(),
            kept.MoveToOuterDisposeScope()
        );
    }

    /// <summary>The mask of the variant and the α that it ended with.</summary>
    internal static (Tensor Kept, double Alpha) ByCumulativeScore(Tensor scores, double fraction)
    {
        using var scope = NewDisposeScope();
        var sorted = scores.sort(1L, false, true).Values;
        var (sums, total) = (sorted.cumsum(1), scores.sum([1L], true));
        var (low, high, alpha) = (0.0, 0.8, 0.4);
        var (kept, removed) = At(alpha);
        while (Math.Abs(removed - fraction) > Tolerance && high - low >= Tolerance)
        {
            if (removed > fraction)
                (alpha, high) = ((alpha + low) / 2, alpha);
            else
                (alpha, low) = ((alpha + high) / 2, alpha);
            (kept, removed) = At(alpha);
        }

        return (kept.MoveToOuterDisposeScope(), alpha);

        (Tensor Kept, double Removed) At(double share)
        {
            var count = sums.le(total * share).sum(1, true);
            var threshold = sorted.gather(1, (count - 1).clamp_min(0));
            var stays = scores.gt(threshold).logical_or(count.eq(0));
            return (stays, 1 - stays.sum().ToDouble() / scores.NumberOfElements);
        }
    }
}
