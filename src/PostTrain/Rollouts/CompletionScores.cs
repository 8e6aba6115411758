using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Rollouts.Logits;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rollouts;

/// <summary>Scores of sampled completions under the distribution that they were sampled from.</summary>
/// <param name="LogProbs">log π of each completion token, 0 where the mask is 0, [B,T]; differentiable in the model's parameters.</param>
/// <param name="Logits">[B,T,V], with temperature and suppressed tokens as in sampling.</param>
public sealed record CompletionScores(Tensor LogProbs, Tensor Logits)
{
    /// <summary>Runs a model over prompts and completions in one pass.</summary>
    /// <remarks>With unchanged weights and the same rows, log-probs equal those of <see cref="LogProbRecording.Rescored"/> to the last
    /// bit.</remarks>
    /// <param name="model">Policy, reference or teacher. Gradients are recorded unless they are disabled.</param>
    /// <param name="rows">Rows of a <see cref="RolloutBatch"/>.</param>
    /// <param name="sampling">Options of the sampling: temperature and suppressed tokens shape the logits.</param>
    public static CompletionScores Of(CausalLm model, RolloutRows rows, SamplingOptions sampling)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(sampling);
        using var scope = NewDisposeScope();
        // The whole batch, although nothing after the last token is read: if a BLAS computes a row differently beside other rows, the shape
        // decides the bits, and this is the shape that all other callers use.
        var (logProbs, logits) = OfHidden(model, model.Hidden(rows.Ids, rows.AttentionMask), rows, sampling);
        return new CompletionScores(logProbs.MoveToOuterDisposeScope(), logits.MoveToOuterDisposeScope());
    }

    /// <summary>Overload for callers that already have the hidden states, [B,P+T,D].</summary>
    internal static CompletionScores OfHidden(CausalLm model, Tensor hidden, RolloutRows rows, SamplingOptions sampling)
    {
        using var scope = NewDisposeScope();
        using var shaping = new LogitShaping(sampling, model.VocabularySize, rows.Ids.device);
        var (logProbs, logits) = OfLogits(shaping.Apply(model.Project(States(hidden, rows))), rows);
        return new CompletionScores(logProbs.MoveToOuterDisposeScope(), logits.MoveToOuterDisposeScope());
    }

    // The states that predict the completions' tokens, [B,T,D].
    private static Tensor States(Tensor hidden, RolloutRows rows)
    {
        long completion = rows.CompletionMask.size(1);
        return hidden.narrow(1, rows.Ids.size(1) - 1 - completion, completion);
    }

    private static CompletionScores OfLogits(Tensor logits, RolloutRows rows)
    {
        long completion = rows.CompletionMask.size(1);
        return new CompletionScores(
            TokenLogProbs.Gather(logits, rows.Ids.narrow(1, rows.Ids.size(1) - completion, completion), rows.CompletionMask),
            logits
        );
    }

    /// <summary>A loss that is a sum over rows, with the logits of some at a time; see <see cref="ChunkedHead"/>. Log-probs can differ from
    /// those of <see cref="Of"/> in their last bits.</summary>
    /// <param name="model">As in <see cref="Of"/>.</param>
    /// <param name="rows">As in <see cref="Of"/>.</param>
    /// <param name="sampling">As in <see cref="Of"/>.</param>
    /// <param name="share">The share of some rows in the loss: their scores, the first row and the number of rows.</param>
    internal static Tensor Loss(CausalLm model, RolloutRows rows, SamplingOptions sampling, Func<CompletionScores, int, int, Tensor> share)
    {
        using var shaping = new LogitShaping(sampling, model.VocabularySize, rows.Ids.device);
        return ChunkedHead.Loss(
            model,
            States(model.Hidden(rows.Ids, rows.AttentionMask), rows),
            1,
            (logits, start, count) => share(OfLogits(shaping.Apply(logits), rows.Part(start, count)), start, count)
        );
    }

    /// <summary>Computes log-probs of some rows without gradient, [B,T], with the logits of some at a time: the bits of those in <see
    /// cref="Loss"/>.</summary>
    internal static Tensor LogProbsOf(CausalLm model, RolloutRows rows, SamplingOptions sampling)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        using var shaping = new LogitShaping(sampling, model.VocabularySize, rows.Ids.device);
        return ChunkedHead
            .Read(
                model,
                States(model.Hidden(rows.Ids, rows.AttentionMask), rows),
                1,
                (logits, start, count) => OfLogits(shaping.Apply(logits), rows.Part(start, count)).LogProbs
            )
            .MoveToOuterDisposeScope();
    }

    /// <summary>Computes log-probs of all completions without gradient, some rows at a time: [B,T], 0 where the mask is 0.</summary>
    internal static Tensor LogProbsOf(CausalLm model, RolloutBatch rollouts, SamplingOptions sampling, int? microBatchSize)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        int rows = (int)rollouts.Ids.shape[0],
            size = microBatchSize ?? rows;
        var parts = new List<Tensor>();
        for (int start = 0; start < rows; start += size)
        {
            // Logits are large: only those of one part exist at a time.
            using var part = NewDisposeScope();
            parts.Add(Of(model, rollouts.Rows(start, Math.Min(size, rows - start)), sampling).LogProbs.MoveToOuterDisposeScope());
        }
        return cat(parts, 0).MoveToOuterDisposeScope();
    }
}
