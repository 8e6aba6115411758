using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.RewardModeling;
using PostTrain.RewardModeling.Losses;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Kernels;

/// <summary>Losses of pairs with their gradients, in one pass over CPU memory without an autograd graph.</summary>
/// <remarks>
/// Float32 and float64; computed in float64. The first tensor's type is that of the results, the others are converted to it. Results are
/// fresh tensors; the caller owns them. <see cref="Kernel.Attach"/> puts a result into a graph.
/// </remarks>
/// <exception cref="NotSupportedException">The tensors are not on the CPU, or of a 16-bit type.</exception>
public static class PairwiseKernels
{
    /// <summary>True if <see cref="Dpo"/> has a closed form of the loss: all but those that sort the batch (AOT) and those of one's
    /// own.</summary>
    public static bool Supports(DpoLoss loss)
    {
        ArgumentNullException.ThrowIfNull(loss);
        return loss.Form is not null;
    }

    /// <summary>DPO and its family, as <see cref="PreferenceLosses.Dpo"/>.</summary>
    /// <param name="policy">Sequence log-probabilities under the policy, [B] each.</param>
    /// <param name="reference">Under the reference; null for none.</param>
    /// <param name="options">β = 0.1 and the logistic loss when null.</param>
    /// <param name="weights">[B], a factor of each pair's loss; 1 when null.</param>
    /// <param name="denominator">Divisor of the sum over pairs; B when null.</param>
    /// <returns>Gradients with respect to <c>policy.Chosen</c> and <c>policy.Rejected</c>; the rewards are βD.</returns>
    /// <exception cref="ArgumentException">Shapes or types do not agree, or a loss needs lengths that are not there.</exception>
    /// <exception cref="NotSupportedException">The loss has no closed form, see <see cref="Supports"/>, or the divergence is one of one's
    /// own.</exception>
    public static PairLossWithGradient Dpo(
        PairLogProbs policy,
        PairLogProbs? reference,
        DpoObjective? options = null,
        Tensor? weights = null,
        double? denominator = null
    )
    {
        ArgumentNullException.ThrowIfNull(policy);
        options ??= DefaultDpo;
        options.Validate();
        Check(policy, nameof(policy), "policy.Chosen", "policy.Rejected");
        if (reference is not null)
        {
            Check(reference, nameof(reference), "reference.Chosen", "reference.Rejected");
            KernelGuard.SameShape(reference.Chosen, "reference.Chosen", policy.Chosen, "policy.Chosen");
        }
        if (weights is not null)
            KernelGuard.SameShape(weights, nameof(weights), policy.Chosen, "policy.Chosen");
        if (options.Divergence.Form is null && options.Loss.Form is not null)
            throw new NotSupportedException($"the divergence {options.Divergence} has no kernel; PreferenceLosses.Dpo has it");
        var call =
            PairCalls.Dpo(policy, reference, options, weights, denominator, null)
            ?? throw new NotSupportedException($"{options.Loss} has no kernel; PreferenceLosses.Dpo has it");
        if (call.Form.LengthReason is { } reason)
        {
            using var scope = NewDisposeScope();
            if (policy.ChosenLengths is null)
                policy.ChosenCounts(reason);
            if (call.NeedsRejectedLengths && policy.RejectedLengths is null)
                policy.Divisors(reason);
        }
        return Result(PairPass.Run(call, rewards: false));
    }

    /// <summary>Bradley-Terry, as <see cref="RewardModelLosses.BradleyTerry"/>.</summary>
    /// <param name="chosenRewards">r_w, [N].</param>
    /// <param name="rejectedRewards">r_l, [N].</param>
    /// <param name="margins">μ, [N]; 0 when null.</param>
    /// <param name="options">Centring and label smoothing; neither when null.</param>
    /// <param name="denominator">The number of pairs of the whole batch where this is a part of it; N when null.</param>
    /// <returns>Gradients with respect to both rewards.</returns>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static PairLossWithGradient BradleyTerry(
        Tensor chosenRewards,
        Tensor rejectedRewards,
        Tensor? margins = null,
        BradleyTerryObjective? options = null,
        double? denominator = null
    )
    {
        options ??= DefaultBradleyTerry;
        options.Check();
        Guard.Rank(chosenRewards, nameof(chosenRewards), 1, "[N]");
        KernelGuard.Number(chosenRewards, nameof(chosenRewards));
        KernelGuard.SameShape(rejectedRewards, nameof(rejectedRewards), chosenRewards, nameof(chosenRewards));
        Guard.Floating(rejectedRewards, nameof(rejectedRewards));
        if (margins is not null)
            KernelGuard.SameShape(margins, nameof(margins), chosenRewards, nameof(chosenRewards));
        if (denominator is { } given)
            Guard.NotNegative(given, nameof(denominator));
        double count = denominator ?? chosenRewards.size(0);
        var call = new RewardCall(
            chosenRewards,
            rejectedRewards,
            margins,
            null,
            1 - options.LabelSmoothing,
            options.CenteringCoefficient,
            count > 0 ? count : 1
        );
        return Result(RewardPass.Run(call).Loss);
    }

    private static readonly DpoObjective DefaultDpo = new();
    private static readonly BradleyTerryObjective DefaultBradleyTerry = new();

    private static PairLossWithGradient Result(PairResult found) =>
        new(
            found.Loss,
            found.Losses,
            found.ChosenGradient,
            found.RejectedGradient,
            found.Accuracy,
            found.ChosenReward,
            found.RejectedReward
        );

    // The names are given, as each call would make them anew.
    private static void Check(PairLogProbs pairs, string name, string chosenName, string rejectedName)
    {
        Guard.Rank(pairs.Chosen, chosenName, 1, "[B]");
        KernelGuard.Number(pairs.Chosen, chosenName);
        if (
            pairs.Rejected is null
            || Differs(pairs.Rejected, pairs.Chosen)
            || (pairs.ChosenLengths is { } chosen && Differs(chosen, pairs.Chosen))
            || (pairs.RejectedLengths is { } rejected && Differs(rejected, pairs.Chosen))
        )
        {
            pairs.Validate(name);
        }
        Guard.Floating(pairs.Rejected!, rejectedName);
    }

    private static bool Differs(Tensor tensor, Tensor row) =>
        TensorFacts.Rank(tensor) != 1 || TensorFacts.Size(tensor, 0) != TensorFacts.Size(row, 0);
}
