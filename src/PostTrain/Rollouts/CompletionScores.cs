using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Rollouts.Logits;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rollouts;

/// <summary>Scores of completions that were sampled before, under the distribution that they were sampled from.</summary>
/// <param name="LogProbs">log π of each completion token, 0 where the mask is 0, [B,T]; differentiable in the model's parameters.</param>
/// <param name="Logits">[B,T,V], with temperature and suppressed tokens as in sampling.</param>
public sealed record CompletionScores(Tensor LogProbs, Tensor Logits)
{
    /// <summary>Runs a model over prompts and completions in one pass.</summary>
    /// <remarks>With unchanged weights and the same rows, log-probs equal those of <see cref="LogProbRecording.Rescored"/> to the last
    /// bit.</remarks>
    /// <param name="model">Policy, reference or teacher. Gradients are recorded unless they are switched off.</param>
    /// <param name="rows">Rows of a <see cref="RolloutBatch"/>.</param>
    /// <param name="sampling">Options that the completions were drawn with: temperature and suppressed tokens shape the logits.</param>
    public static CompletionScores Of(CausalLm model, RolloutRows rows, SamplingOptions sampling)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(sampling);
        using var scope = NewDisposeScope();
        // The whole batch, although nothing is read behind the last token: where a BLAS computes a row differently beside other rows, the
        // shape decides the bits, and this one is what everybody else would pass.
        var (logProbs, logits) = OfHidden(model, model.Hidden(rows.Ids, rows.AttentionMask), rows, sampling);
        return new CompletionScores(logProbs.MoveToOuterDisposeScope(), logits.MoveToOuterDisposeScope());
    }

    /// <summary>Overload for callers that already have the hidden states, [B,P+T,D].</summary>
    internal static CompletionScores OfHidden(CausalLm model, Tensor hidden, RolloutRows rows, SamplingOptions sampling)
    {
        using var scope = NewDisposeScope();
        long length = rows.Ids.shape[1],
            completion = rows.CompletionMask.shape[1];
        using var shaping = new LogitShaping(sampling, model.VocabularySize, rows.Ids.device);
        var logits = shaping.Apply(model.Project(hidden.narrow(1, length - 1 - completion, completion)));
        var logProbs = TokenLogProbs.Gather(logits, rows.Ids.narrow(1, length - completion, completion), rows.CompletionMask);
        return new CompletionScores(logProbs.MoveToOuterDisposeScope(), logits.MoveToOuterDisposeScope());
    }

    /// <summary>Log-probs of all completions without a gradient, some rows at a time: [B,T], 0 where the mask is 0.</summary>
    internal static Tensor LogProbsOf(CausalLm model, RolloutBatch rollouts, SamplingOptions sampling, int? microBatchSize)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        int rows = (int)rollouts.Ids.shape[0],
            size = microBatchSize ?? rows;
        var parts = new List<Tensor>();
        for (int start = 0; start < rows; start += size)
        {
            // Logits are large: those of one part at a time.
            using var part = NewDisposeScope();
            parts.Add(Of(model, rollouts.Rows(start, Math.Min(size, rows - start)), sampling).LogProbs.MoveToOuterDisposeScope());
        }
        return cat(parts, 0).MoveToOuterDisposeScope();
    }
}
