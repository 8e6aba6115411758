using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Preference.Losses;

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
        var scores = SequenceScores.Of(model, pairs);
        int count = pairs.Rows / 2;
        return new PairScores(scores.Rows(0, count), scores.Rows(count, count));
    }

    /// <summary>Sequence log-probs and lengths; see <see cref="PairLogProbs.Of"/> for the weight of tails.</summary>
    /// <param name="tailWeight">1 by default, the plain sum.</param>
    public PairLogProbs Sums(double tailWeight = 1) =>
        PairLogProbs.Of(Chosen.LogProbs, Rejected.LogProbs, Chosen.Mask, Rejected.Mask, tailWeight);
}
