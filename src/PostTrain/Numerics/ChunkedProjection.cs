using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>
/// The autograd node of <see cref="ChunkedLogProbs"/>: maps hidden rows [N,D], weight [V,D] and targets [N] to log π(target), mean_v log
/// π_v, log Σ exp z, entropy and correctness, all [N]. It saves its inputs but no logits.
/// </summary>
/// <remarks>The caller checks all arguments: with TorchSharp an exception in the backward pass would end the process.</remarks>
internal sealed class ChunkedProjection : autograd.MultiTensorFunction<ChunkedProjection>
{
    public override string Name => nameof(ChunkedProjection);

    public override List<Tensor> forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (rows, weight, targets) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor)vars[2]);
        var (transform, chunkSize) = ((LogitTransform)vars[3], (int)vars[4]);
        // Otherwise gradients of unused results would be created like tensors of the scope below, which are disposed by then.
        ctx.set_materialize_grads(false);
        ctx.save_for_backward([rows, weight, targets]);
        ctx.save_data("transform", transform);
        ctx.save_data("chunkSize", chunkSize);
        ctx.save_data("rows", rows.requires_grad);
        ctx.save_data("weight", weight.requires_grad);

        using var scope = NewDisposeScope();
        var parts = new List<Tensor>[] { [], [], [], [], [] };
        foreach (var (start, length) in Chunks(rows.shape[0], chunkSize))
        {
            using var chunk = NewDisposeScope();
            var ids = targets.narrow(0, start, length);
            var projected = Project(rows.narrow(0, start, length), weight);
            if (IsFused(projected, weight, ids, transform))
            {
                foreach (var (part, facts) in parts.Zip(DistributionPass.Read(projected, ids)))
                    part.Add(facts.MoveToOuterDisposeScope());
                continue;
            }
            var logits = transform.Apply(projected);
            var logProbs = logits.log_softmax(-1);
            Tensor[] found =
            [
                logProbs.gather(-1, ids.unsqueeze(-1)).squeeze(-1),
                logProbs.sum(-1) / logits.shape[1],
                logits.logsumexp(-1),
                TokenLogProbs.EntropyOf(logProbs),
                logits.argmax(-1).eq(ids),
            ];
            for (int i = 0; i < parts.Length; i++)
                parts[i].Add((i < 4 ? found[i].to_type(rows.dtype) : found[i]).MoveToOuterDisposeScope());
        }
        var results = parts.Select(part => cat(part, 0).MoveToOuterDisposeScope()).ToList();
        ctx.mark_non_differentiable([results[4]]);
        return results;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, List<Tensor> grad_outputs)
    {
        using var scope = NewDisposeScope();
        var saved = ctx.get_saved_variables();
        var (rows, weight, targets) = (saved[0], saved[1], saved[2]);
        var transform = (LogitTransform)ctx.get_data("transform");
        int chunkSize = (int)ctx.get_data("chunkSize");
        bool needRows = (bool)ctx.get_data("rows"),
            needWeight = (bool)ctx.get_data("weight");

        var rowParts = new List<Tensor>();
        var weightGradient = needWeight ? zeros_like(weight) : null;
        foreach (var (start, length) in Chunks(rows.shape[0], chunkSize))
        {
            using var chunk = NewDisposeScope();
            var part = rows.narrow(0, start, length);
            var logits = Project(part, weight);
            if (!is_grad_enabled() && IsFused(logits, weight, targets, transform))
            {
                Tensor? Signal(int index) => grad_outputs[index].IsInvalid ? null : grad_outputs[index].narrow(0, start, length);
                DistributionPass.Replace(logits, targets.narrow(0, start, length), Signal(0), Signal(1), Signal(2), Signal(3));
                if (needRows)
                    rowParts.Add(logits.mm(weight).MoveToOuterDisposeScope());
                weightGradient?.add_(logits.t().mm(part));
                continue;
            }
            var gradient = LogitGradient(
                transform.Apply(logits),
                targets.narrow(0, start, length),
                index =>
                    grad_outputs[index].IsInvalid
                        ? zeros([length, 1], logits.dtype, logits.device)
                        : grad_outputs[index].narrow(0, start, length).to_type(logits.dtype).unsqueeze(-1)
            );
            gradient = transform.Backward(gradient, logits).to_type(rows.dtype);
            if (needRows)
                rowParts.Add(gradient.mm(weight).MoveToOuterDisposeScope());
            weightGradient?.add_(gradient.t().mm(part));
        }
        return
        [
            needRows ? cat(rowParts, 0).MoveToOuterDisposeScope() : null!,
            weightGradient?.MoveToOuterDisposeScope()!,
            null!,
            null!,
            null!,
        ];
    }

    // Rows in one pass over CPU memory: the same numbers but for the last digits.
    private static bool IsFused(Tensor logits, Tensor weight, Tensor targets, LogitTransform transform) =>
        Fused.Takes(logits, weight) && logits.numel() > 0 && targets.dtype == ScalarType.Int64 && transform == LogitTransform.None;

    // d log π_y/dz = e_y − π; d mean log π/dz = 1/V − π; d log Σ exp z/dz = π; dH/dz = −π(log π + H).
    private static Tensor LogitGradient(Tensor logits, Tensor targets, Func<int, Tensor> gradientOf)
    {
        var (ofTarget, ofMean, ofPartition, ofEntropy) = (gradientOf(0), gradientOf(1), gradientOf(2), gradientOf(3));
        var logProbs = logits.log_softmax(-1);
        var surprise = logProbs.masked_fill(logProbs.isneginf(), 0) + TokenLogProbs.EntropyOf(logProbs).unsqueeze(-1);
        var gradient = logProbs.exp() * (ofPartition - ofTarget - ofMean - ofEntropy * surprise) + ofMean / logits.shape[1];
        return gradient.scatter_add(-1, targets.unsqueeze(-1), ofTarget);
    }

    // The sum over the vocabulary needs more digits than a 16-bit type has.
    private static Tensor Project(Tensor rows, Tensor weight)
    {
        var logits = rows.mm(weight.t());
        return logits.AtLeastSingle();
    }

    // One empty chunk if there are no rows, so that the results exist.
    private static IEnumerable<(long Start, long Length)> Chunks(long rows, int chunkSize)
    {
        long start = 0;
        do
        {
            yield return (start, Math.Min(chunkSize, rows - start));
            start += chunkSize;
        } while (start < rows);
    }
}
