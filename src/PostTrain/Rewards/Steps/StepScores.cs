using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rewards.Steps;

/// <summary>Scores of whole solutions from the scores of their steps.</summary>
public static class StepScores
{
    /// <summary>Computes one score per solution.</summary>
    /// <remarks>A solution without a step gives 1 for the product, 0 for its logarithm and 0 for the others. A NaN at a counted position
    /// stays NaN.</remarks>
    /// <param name="probabilities">p_k, [B,S], between 0 and 1.</param>
    /// <param name="mask">[B,S]; 1 where there is a step. Steps need not be adjacent.</param>
    /// <param name="aggregation">The aggregation.</param>
    /// <returns>[B]; differentiable in the probabilities.</returns>
    /// <exception cref="ArgumentException">Shapes or types do not agree, or a probability is out of [0, 1].</exception>
    public static Tensor Aggregate(Tensor probabilities, Tensor mask, StepAggregation aggregation)
    {
        Guard.Rank(probabilities, nameof(probabilities), 2, "[B,S]");
        Guard.Floating(probabilities, nameof(probabilities));
        if (probabilities.shape[1] == 0)
            throw new ArgumentException(
                $"probabilities has shape {Guard.Shape(probabilities)}, expected at least one step position",
                nameof(probabilities)
            );
        using var scope = NewDisposeScope();
        var steps = Masked.Counted(probabilities, mask);
        Guard.Probabilities(steps, nameof(probabilities));
        var absent = mask == 0;
        var score = aggregation switch
        {
            StepAggregation.Product => steps.masked_fill(absent, 1).prod(1L),
            StepAggregation.LogSum => steps.masked_fill(absent, 1).log().sum(1L),
            StepAggregation.Minimum => WithSteps(steps.masked_fill(absent, double.PositiveInfinity), absent).amin([1L]),
            // The position of the last counted step: the maximum of its own and all earlier positions.
            StepAggregation.Last => steps.gather(1, Places(absent).amax([1L], keepdim: true)).squeeze(1),
            StepAggregation.Mean => Masked.Mean(steps, mask, 1),
            _ => throw new ArgumentOutOfRangeException(nameof(aggregation), aggregation, "expected Product, LogSum, Minimum, Last or Mean"),
        };
        return score.MoveToOuterDisposeScope();
    }

    // Appends a column of 0 for solutions without a step and +∞ for the others, so that the minimum is never over an empty set.
    private static Tensor WithSteps(Tensor steps, Tensor absent)
    {
        var fallback = steps.new_zeros(steps.shape[0], 1).masked_fill(absent.logical_not().any(1, keepdim: true), double.PositiveInfinity);
        return cat([steps, fallback], 1);
    }

    private static Tensor Places(Tensor absent) =>
        arange(absent.shape[1], dtype: ScalarType.Int64, device: absent.device).unsqueeze(0).expand_as(absent).masked_fill(absent, 0);
}
