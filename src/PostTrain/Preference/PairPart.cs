using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Supervised;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference;

/// <summary>Some pairs of a batch as the policy sees them.</summary>
/// <param name="Chosen">The chosen completions' tokens, [b,C].</param>
/// <param name="Rejected">The rejected ones', [b,C].</param>
/// <param name="Rows">The sequences that went in: the chosen ones, then the rejected ones, [2b,T].</param>
/// <param name="Start">The number of the first pair in its batch.</param>
/// <param name="Pairs">Pairs of the whole batch: what sums over pairs are divided by.</param>
/// <param name="ChosenTokens">Tokens of the whole batch's chosen completions.</param>
/// <param name="ChosenTextTokens">The same with their prompts' tokens, but for the first of each, which nothing predicts.</param>
internal sealed record PairPart(
    SequenceScores Chosen,
    SequenceScores Rejected,
    SupervisedBatch Rows,
    int Start,
    double Pairs,
    double ChosenTokens,
    double ChosenTextTokens
)
{
    /// <summary>Pairs of this part.</summary>
    internal int Count => (int)Chosen.Mask.shape[0];

    /// <summary>Mean tokens of the whole batch's chosen completions; 1 where none has any, whose log-probs are 0.</summary>
    internal double MeanChosenLength => ChosenTokens > 0 ? ChosenTokens / Pairs : 1;

    /// <summary>Sequence log-probs and lengths; see <see cref="PairLogProbs.Of"/> for the weight of tails.</summary>
    internal PairLogProbs Sums(double tailWeight = 1) =>
        PairLogProbs.Of(Chosen.LogProbs, Rejected.LogProbs, Chosen.Mask, Rejected.Mask, tailWeight);

    /// <summary>The same sums under another model.</summary>
    internal PairLogProbs Sums(CausalLm model, double tailWeight)
    {
        var scores = SequenceScores.Of(model, Rows, Rows.Inputs.shape[1] - Chosen.Mask.shape[1]);
        return PairLogProbs.Of(
            scores.LogProbs.narrow(0, 0, Count),
            scores.LogProbs.narrow(0, Count, Count),
            Chosen.Mask,
            Rejected.Mask,
            tailWeight
        );
    }

    /// <summary>−log π of the chosen completions as a mean over the whole batch's tokens.</summary>
    internal Tensor TokenLikelihood() => LossAggregation.TokenMean.Apply(Chosen.LogProbs.neg(), Chosen.Mask, ChosenTokens);

    /// <summary>−log π of the chosen completions as the whole batch's mean of their token means.</summary>
    internal Tensor SequenceLikelihood() => LossAggregation.SequenceMean.Apply(Chosen.LogProbs.neg(), Chosen.Mask, Pairs);

    /// <summary>−log π of prompts and chosen completions as a mean over the whole batch's tokens; the part must hold all columns.</summary>
    internal Tensor TextLikelihood()
    {
        var mask = TextMask(Rows.LossMask.narrow(0, 0, Count));
        return LossAggregation.TokenMean.Apply(TokenLogProbs.Gather(Chosen.Logits, Chosen.Targets, mask).neg(), mask, ChosenTextTokens);
    }

    /// <summary>1 up to a row's last counted target: a completion ends its sequence.</summary>
    internal static Tensor TextMask(Tensor lossMask) => lossMask.flip(1).cumsum(1).flip(1).ne(0).to_type(lossMask.dtype);
}
