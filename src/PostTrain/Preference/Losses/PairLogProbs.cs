using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference.Losses;

/// <summary>Log-probabilities that one model gives to the two completions of B preference pairs.</summary>
/// <param name="Chosen">log π(y_w|x) = Σ_t m_t log π(y_t), in nats, [B].</param>
/// <param name="Rejected">log π(y_l|x), [B].</param>
/// <param name="ChosenLengths">Completion tokens of each chosen sequence, [B]; needed only by losses that divide by it.</param>
/// <param name="RejectedLengths">Completion tokens of each rejected sequence, [B].</param>
public sealed record PairLogProbs(Tensor Chosen, Tensor Rejected, Tensor? ChosenLengths = null, Tensor? RejectedLengths = null)
{
    /// <summary>Sums token log-probabilities to sequence log-probabilities and counts the tokens.</summary>
    /// <remarks>
    /// With <paramref name="tailWeight"/> below 1 the length-desensitised form of LD-DPO (arXiv:2409.06411): of each pair, the tokens
    /// beyond the shorter completion's length count with that weight, Σ_{t ≤ L} l_t + α Σ_{t > L} l_t, L = min(|y_w|, |y_l|). The lengths
    /// are full lengths. What stands where the mask does not count is not read. Returns fresh tensors; the caller owns them.
    /// </remarks>
    /// <param name="chosen">Per-token log-probabilities of the chosen completions, [B,T].</param>
    /// <param name="rejected">Of the rejected completions, [B,S].</param>
    /// <param name="chosenMask">[B,T]; 1 on the completion's tokens.</param>
    /// <param name="rejectedMask">[B,S].</param>
    /// <param name="tailWeight">α in 0..1; 1 by default, the plain sum.</param>
    /// <exception cref="ArgumentException">Shapes do not agree.</exception>
    public static PairLogProbs Of(Tensor chosen, Tensor rejected, Tensor chosenMask, Tensor rejectedMask, double tailWeight = 1)
    {
        Check(chosen, nameof(chosen), chosenMask, nameof(chosenMask));
        Check(rejected, nameof(rejected), rejectedMask, nameof(rejectedMask));
        Guard.Fraction(tailWeight, nameof(tailWeight));
        if (chosen.shape[0] != rejected.shape[0])
            throw new ArgumentException($"rejected has {rejected.shape[0]} rows, expected {chosen.shape[0]} as chosen", nameof(rejected));
        using var scope = NewDisposeScope();
        var (chosenLengths, rejectedLengths) = (Count(chosenMask, chosen), Count(rejectedMask, rejected));
        var shared = chosenLengths.minimum(rejectedLengths).unsqueeze(1);
        Tensor Sum(Tensor values, Tensor mask)
        {
            var counted = Masked.Counted(values, mask);
            if (tailWeight == 1)
                return counted.sum(1L);
            var tail = (mask != 0).to_type(values.dtype).cumsum(1) > shared;
            return where(tail, counted * tailWeight, counted).sum(1L);
        }
        return new PairLogProbs(
            Sum(chosen, chosenMask).MoveToOuterDisposeScope(),
            Sum(rejected, rejectedMask).MoveToOuterDisposeScope(),
            chosenLengths.MoveToOuterDisposeScope(),
            rejectedLengths.MoveToOuterDisposeScope()
        );
    }

    /// <summary>Refuses tensors that are not B floating-point numbers each.</summary>
    internal void Validate(string name)
    {
        Guard.Rank(Chosen, $"{name}.{nameof(Chosen)}", 1, "[B]");
        Guard.Floating(Chosen, $"{name}.{nameof(Chosen)}");
        Guard.SameShape(Rejected, $"{name}.{nameof(Rejected)}", Chosen, $"{name}.{nameof(Chosen)}");
        Guard.Floating(Rejected, $"{name}.{nameof(Rejected)}");
        if (ChosenLengths is { } chosen)
            Guard.SameShape(chosen, $"{name}.{nameof(ChosenLengths)}", Chosen, $"{name}.{nameof(Chosen)}");
        if (RejectedLengths is { } rejected)
            Guard.SameShape(rejected, $"{name}.{nameof(RejectedLengths)}", Chosen, $"{name}.{nameof(Chosen)}");
    }

    /// <summary>The lengths as divisors of the log-probabilities' type: an empty completion has log-probability 0, which 1 leaves as it
    /// is.</summary>
    internal (Tensor Chosen, Tensor Rejected) Divisors(string loss) =>
        (Divisor(ChosenLengths, nameof(ChosenLengths), loss), Divisor(RejectedLengths, nameof(RejectedLengths), loss));

    /// <summary>The chosen lengths in the log-probabilities' type.</summary>
    internal Tensor ChosenCounts(string loss) => Required(ChosenLengths, nameof(ChosenLengths), loss).detach().to_type(Chosen.dtype);

    private Tensor Divisor(Tensor? lengths, string name, string loss)
    {
        using var scope = NewDisposeScope();
        return Required(lengths, name, loss).detach().to_type(Chosen.dtype).clamp_min(1).MoveToOuterDisposeScope();
    }

    private static Tensor Required(Tensor? lengths, string name, string loss) =>
        lengths ?? throw new ArgumentException($"policy.{name} is null, expected [B]: {loss} divides by the number of tokens", name);

    private static void Check(Tensor values, string name, Tensor mask, string maskName)
    {
        Guard.Rank(values, name, 2, "[B,T]");
        Guard.Floating(values, name);
        Guard.SameShape(mask, maskName, values, name);
    }

    private static Tensor Count(Tensor mask, Tensor like) => (mask != 0).to_type(like.dtype).sum(1L);
}
