using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.RewardModeling.Losses;

/// <summary>Labels of steps from rollouts: how often completions that start after a step reach the right answer.</summary>
/// <remarks>Math-Shepherd, Wang et al. 2023, arXiv:2312.08935, section 3.3. A step without a counted completion gives 0: mask it in the
/// loss.</remarks>
public static class StepLabels
{
    /// <summary>Soft: the share of the completions that are right, (1/N) Σ_j c_j (eq. 4).</summary>
    /// <remarks>Unbiased: its expectation is the value of the state after the step under the policy that completes.</remarks>
    /// <param name="correct">[..., N], 1 (or true) where a completion from this step is right.</param>
    /// <param name="mask">[..., N]; 1 where there is a completion.</param>
    /// <returns>[...], between 0 and 1; Float32 for whole numbers and truth values, else of the type of
    /// <paramref name="correct"/>.</returns>
    /// <exception cref="ArgumentException">Shapes do not agree, or there is no dimension of completions.</exception>
    public static Tensor MonteCarloSoft(Tensor correct, Tensor mask)
    {
        using var scope = NewDisposeScope();
        return Masked.Mean(Outcomes(correct, mask), mask, -1).MoveToOuterDisposeScope();
    }

    /// <summary>Hard: 1 where any completion is right (eq. 3).</summary>
    /// <remarks>Its expectation is 1 − (1 − V)^N, which grows with N: two labellings with different N do not mean the same.</remarks>
    /// <inheritdoc cref="MonteCarloSoft"/>
    public static Tensor MonteCarloHard(Tensor correct, Tensor mask)
    {
        using var scope = NewDisposeScope();
        return Masked.Counted(Outcomes(correct, mask), mask).amax(-1).MoveToOuterDisposeScope();
    }

    private static Tensor Outcomes(Tensor correct, Tensor mask)
    {
        ArgumentNullException.ThrowIfNull(correct);
        if (correct.dim() == 0 || correct.shape[^1] == 0)
            throw new ArgumentException(
                $"correct has shape {Guard.Shape(correct)}, expected [..., N] with at least one completion",
                nameof(correct)
            );
        Guard.SameShape(mask, nameof(mask), correct, nameof(correct));
        var outcomes = correct.is_floating_point() ? correct.detach() : correct.to_type(ScalarType.Float32);
        using var counted = Masked.Counted(outcomes, mask);
        Guard.Probabilities(counted, nameof(correct));
        return outcomes;
    }
}
