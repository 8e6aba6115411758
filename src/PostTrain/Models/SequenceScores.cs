using PostTrain.Data.Batches;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>Log-probs and logits that a model gives to the learnt tokens of given sequences; all tensors are where the model is.</summary>
/// <param name="LogProbs">log π of each target, 0 where the mask is 0, [B,C]; differentiable in the model's parameters.</param>
/// <param name="Logits">[B,C,V], of 32 bits at least.</param>
/// <param name="Targets">[B,C].</param>
/// <param name="Mask">[B,C].</param>
public sealed record SequenceScores(Tensor LogProbs, Tensor Logits, Tensor Targets, Tensor Mask)
{
    /// <summary>Runs a model over sequences. Only the C columns from <see cref="SequenceBatch.FirstColumn"/> on are projected to the
    /// vocabulary.</summary>
    /// <param name="model">Any model of the tokenizer's vocabulary.</param>
    /// <param name="batch">[B,T]; goes where the model is.</param>
    public static SequenceScores Of(CausalLm model, SequenceBatch batch)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        return SequenceStates.Of(model, batch).Scores();
    }

    /// <summary>Log-probs of the sequences' learnt tokens, Σ_t m_t log π(y_t), [B].</summary>
    public Tensor Sums() => LogProbs.sum(1L);

    /// <summary>Some rows, as views.</summary>
    /// <param name="start">First row.</param>
    /// <param name="count">Number of rows.</param>
    public SequenceScores Rows(long start, long count) =>
        new(
            LogProbs.narrow(0, start, count),
            Logits.narrow(0, start, count),
            Targets.narrow(0, start, count),
            Mask.narrow(0, start, count)
        );
}
