using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Preference.Losses;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference.Batches;

/// <summary>Log-probs that a model gives to both completions of b preference pairs.</summary>
/// <param name="Chosen">The chosen completions' tokens, [b,C].</param>
/// <param name="Rejected">The rejected ones', [b,C].</param>
public sealed record PairScores(SequenceScores Chosen, SequenceScores Rejected)
{
    /// <summary>Pairs.</summary>
    public int Count => (int)Chosen.Mask.shape[0];

    /// <summary>Runs a model over pairs, both completions in one pass.</summary>
    /// <param name="model">The policy or a reference.</param>
    /// <param name="pairs">[2b,T], as <see cref="PairBatch.Part"/> gives them.</param>
    public static PairScores Of(CausalLm model, SequenceBatch pairs)
    {
        return Of(SequenceScores.Of(model, pairs));
    }

    /// <summary>Rows of a unit in <see cref="SequenceStates.Loss"/>: the two completions of a pair.</summary>
    internal const int UnitRows = 2;

    /// <summary>The chosen completions are the first half of the rows.</summary>
    internal static PairScores Of(SequenceScores scores)
    {
        long count = scores.Mask.size(0) / UnitRows;
        return new PairScores(scores.Rows(0, count), scores.Rows(count, count));
    }

    /// <summary>Sequence log-probs without a gradient, [2,b]: of the chosen completions, then of the rejected ones.</summary>
    /// <param name="model">A reference.</param>
    /// <param name="pairs">[2b,T].</param>
    /// <param name="tailWeight">As of <see cref="Sums"/>.</param>
    internal static Tensor SumsOf(CausalLm model, SequenceBatch pairs, double tailWeight)
    {
        using var mode = no_grad();
        var states = SequenceStates.Of(model, pairs);
        var (logProbs, mask) = (states.LogProbs(UnitRows).chunk(UnitRows, 0), states.Mask.chunk(UnitRows, 0));
        var sums = PairLogProbs.Of(logProbs[0], logProbs[1], mask[0], mask[1], tailWeight);
        return stack([sums.Chosen, sums.Rejected]);
    }

    /// <summary>Sequence log-probs and lengths; see <see cref="PairLogProbs.Of"/> for the weight of tails.</summary>
    /// <param name="tailWeight">1 by default, the plain sum.</param>
    public PairLogProbs Sums(double tailWeight = 1) =>
        PairLogProbs.Of(Chosen.LogProbs, Rejected.LogProbs, Chosen.Mask, Rejected.Mask, tailWeight);
}
