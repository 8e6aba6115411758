using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Supervised;

/// <summary>What a model says of the counted tokens of given sequences; all tensors are where the model is.</summary>
/// <param name="LogProbs">log π of each target, 0 where the mask is 0, [B,C]; differentiable in the model's parameters.</param>
/// <param name="Logits">[B,C,V], of 32 bits at least.</param>
/// <param name="Targets">[B,C].</param>
/// <param name="Mask">[B,C].</param>
internal sealed record SequenceScores(Tensor LogProbs, Tensor Logits, Tensor Targets, Tensor Mask)
{
    /// <summary>Runs the model over the rows; only the columns from <paramref name="first"/> on, where something counts, are projected to
    /// the vocabulary.</summary>
    internal static SequenceScores Of(CausalLm model, SupervisedBatch rows, long first)
    {
        rows = rows.To(BodyParts.DeviceOf(model));
        long columns = rows.Inputs.shape[1] - first;
        var hidden = model.Hidden(rows.Inputs, rows.AttentionMask);
        var logits = model.Project(hidden.narrow(1, first, columns)).AtLeastSingle();
        var (targets, mask) = (rows.Targets.narrow(1, first, columns), rows.LossMask.narrow(1, first, columns));
        return new SequenceScores(TokenLogProbs.Gather(logits, targets, mask), logits, targets, mask);
    }

    /// <summary>Some rows, as views.</summary>
    internal SequenceScores Rows(long start, long count) =>
        new(
            LogProbs.narrow(0, start, count),
            Logits.narrow(0, start, count),
            Targets.narrow(0, start, count),
            Mask.narrow(0, start, count)
        );
}
