using PostTrain.Data.Batches;
using PostTrain.Models.Heads;
using PostTrain.Numerics;
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

/// <summary>Hidden states of sequences, before the output projection.</summary>
/// <param name="Model">The model.</param>
/// <param name="Hidden">[R,C,D], of the columns from <see cref="SequenceBatch.FirstColumn"/> on.</param>
/// <param name="Targets">[R,C].</param>
/// <param name="Mask">[R,C].</param>
internal sealed record SequenceStates(CausalLm Model, Tensor Hidden, Tensor Targets, Tensor Mask)
{
    /// <summary>Runs a model over sequences; all tensors are where the model is.</summary>
    internal static SequenceStates Of(CausalLm model, SequenceBatch batch)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        var rows = batch.To(BodyParts.DeviceOf(model));
        long first = rows.FirstColumn,
            columns = rows.Inputs.shape[1] - first;
        return new SequenceStates(
            model,
            model.Hidden(rows.Inputs, rows.AttentionMask).narrow(1, first, columns),
            rows.Targets.narrow(1, first, columns),
            rows.LossMask.narrow(1, first, columns)
        );
    }

    /// <summary>Sums of log-probs that are still to come, [count]: their type and device.</summary>
    internal Tensor Like(long count) => empty(count, dtype: Precision.AtLeastSingle(Hidden.dtype), device: Hidden.device);

    /// <summary>Log-probs and logits of all rows, with their graph.</summary>
    internal SequenceScores Scores() => Scores(Model.Project(Hidden), Targets, Mask);

    /// <summary>A loss that is a sum over rows or groups of rows, with the logits of some at a time; see
    /// <see cref="ChunkedHead"/>.</summary>
    /// <param name="unitRows">Rows of a group; those of group i are i, i + R/unitRows, ...</param>
    /// <param name="share">The share of some groups in the loss: their rows' scores, the first group and the number of groups.</param>
    /// <param name="whole">True if groups are compared with each other, so that all are needed at once.</param>
    internal Tensor Loss(int unitRows, Func<SequenceScores, int, int, Tensor> share, bool whole = false)
    {
        int units = (int)Hidden.size(0) / unitRows;
        return whole
            ? share(Scores(), 0, units)
            : ChunkedHead.Loss(
                Model,
                Hidden,
                unitRows,
                (logits, start, count) =>
                    share(
                        Scores(logits, ChunkedHead.Rows(Targets, unitRows, start, count), ChunkedHead.Rows(Mask, unitRows, start, count)),
                        start,
                        count
                    )
            );
    }

    /// <summary>log π of the targets without a gradient, [R,C], 0 where the mask is 0: the bits of those in <see cref="Loss"/>.</summary>
    /// <param name="unitRows">As there.</param>
    internal Tensor LogProbs(int unitRows) =>
        ChunkedHead.Read(
            Model,
            Hidden,
            unitRows,
            (logits, start, count) =>
                TokenLogProbs.Gather(
                    logits.AtLeastSingle(),
                    ChunkedHead.Rows(Targets, unitRows, start, count),
                    ChunkedHead.Rows(Mask, unitRows, start, count)
                )
        );

    private static SequenceScores Scores(Tensor logits, Tensor targets, Tensor mask)
    {
        var wide = logits.AtLeastSingle();
        return new SequenceScores(TokenLogProbs.Gather(wide, targets, mask), wide, targets, mask);
    }
}
