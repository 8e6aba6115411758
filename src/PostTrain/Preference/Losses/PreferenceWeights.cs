using PostTrain.Numerics;
using PostTrain.Preference.Batches;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference.Losses;

/// <summary>Weights of preference pairs by how likely the policy itself is to write them.</summary>
public static class PreferenceWeights
{
    /// <summary>w = clip(p/(1 − p), least, greatest): BCO's weights of undesirable completions by the likelihood ratio of being
    /// desirable.</summary>
    /// <remarks>Jung et al. 2024, arXiv:2404.04656, section 3.3: desirable and undesirable completions of different prompts; p is a
    /// classifier's probability that the prompt comes from the desirable ones. Multiply the losses of the undesirable with it.</remarks>
    /// <param name="probabilities">p, any shape, in [0, 1].</param>
    /// <param name="least">Least weight, at least 0; ½ by default.</param>
    /// <param name="greatest">Greatest weight, at least <paramref name="least"/>; 10 by default.</param>
    /// <returns>The same shape, without a gradient.</returns>
    public static Tensor DensityRatio(Tensor probabilities, double least = 0.5, double greatest = 10)
    {
        Guard.Floating(probabilities, nameof(probabilities));
        Guard.NotNegative(least, nameof(least));
        if (!(greatest >= least))
            throw new ArgumentOutOfRangeException(nameof(greatest), greatest, $"greatest must be at least least, {least}");
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        // The term keeps a certain p from dividing by 0.
        return (probabilities.detach() / (1 - probabilities.detach() + 1e-8)).clamp(least, greatest).MoveToOuterDisposeScope();
    }

    /// <summary>w = exp(mean_t a_t(y_w) + mean_t a_t(y_l)), a_t = log π(y_t) − log Σ_v π_v²: WPO's weights with sampled
    /// alignment.</summary>
    /// <remarks>
    /// arXiv:2406.11827: off-policy pairs count less. Each sequence's factor is its mean ratio of a token's probability to the one expected
    /// of a draw from the policy, so on-policy text weighs about 1. An empty completion contributes the factor 1.
    /// </remarks>
    /// <param name="chosenLogits">[B,T,V]; logits at a position predict its target (already shifted).</param>
    /// <param name="chosenTargets">[B,T], token ids where the mask counts.</param>
    /// <param name="chosenMask">[B,T].</param>
    /// <param name="rejectedLogits">[B,S,V].</param>
    /// <param name="rejectedTargets">[B,S].</param>
    /// <param name="rejectedMask">[B,S].</param>
    /// <returns>[B], without a gradient.</returns>
    public static Tensor Wpo(
        Tensor chosenLogits,
        Tensor chosenTargets,
        Tensor chosenMask,
        Tensor rejectedLogits,
        Tensor rejectedTargets,
        Tensor rejectedMask
    )
    {
        Guard.Rank(chosenLogits, nameof(chosenLogits), 3, "[B,T,V]");
        Guard.Rank(rejectedLogits, nameof(rejectedLogits), 3, "[B,S,V]");
        if (chosenLogits.shape[0] != rejectedLogits.shape[0])
            throw new ArgumentException(
                $"rejectedLogits has {rejectedLogits.shape[0]} rows, expected {chosenLogits.shape[0]} as chosenLogits",
                nameof(rejectedLogits)
            );
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return (Alignment(chosenLogits, chosenTargets, chosenMask) + Alignment(rejectedLogits, rejectedTargets, rejectedMask))
            .exp()
            .MoveToOuterDisposeScope();
    }

    /// <summary>The weights of pairs that a model has scored.</summary>
    /// <inheritdoc cref="Wpo(Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)"/>
    /// <param name="scores">Scores of B pairs under the policy.</param>
    public static Tensor Wpo(PairScores scores)
    {
        ArgumentNullException.ThrowIfNull(scores);
        var (chosen, rejected) = (scores.Chosen, scores.Rejected);
        return Wpo(chosen.Logits, chosen.Targets, chosen.Mask, rejected.Logits, rejected.Targets, rejected.Mask);
    }

    private static Tensor Alignment(Tensor logits, Tensor targets, Tensor mask)
    {
        var taken = TokenLogProbs.Gather(logits, targets, mask);
        var expected = (logits.log_softmax(-1) * 2).logsumexp(-1);
        return Masked.Mean(taken - expected, mask, 1);
    }
}
