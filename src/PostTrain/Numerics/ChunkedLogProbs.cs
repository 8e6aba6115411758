using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>Log-probabilities of given tokens from hidden states and the output projection, without the logits of a whole batch.</summary>
/// <remarks>
/// The logits of B·T positions over V tokens are the largest tensor of post-training. Here they exist for one chunk of positions at a time
/// and are recomputed in the backward pass: about ten times c·V numbers instead of several times B·T·V, for 8·N·D·V operations instead of
/// 6·N·D·V. The chunk size changes no more than the last digits.
/// </remarks>
public static class ChunkedLogProbs
{
    /// <summary>Default number of positions per chunk.</summary>
    public const int DefaultChunkSize = 256;

    /// <summary>Computes log π(target), entropy and further quantities of every counted position, π = softmax(transform(W·h +
    /// b)).</summary>
    /// <remarks>
    /// All results except <see cref="ChunkedTokens.Correct"/> are differentiable in the hidden states, the weight and the bias (TRL's
    /// counterpart gives its entropies no gradient). They are twice differentiable, but the second gradient keeps the logits of every
    /// chunk. With 16-bit inputs the softmax is computed in float32. Positions that do not count are not read. A bias costs a copy of the
    /// weight. Returns fresh tensors; the caller owns them.
    /// </remarks>
    /// <param name="hidden">h, [..., T, D], floating point: the states that predict the targets (already shifted).</param>
    /// <param name="weight">W, [V, D], of the hidden states' type.</param>
    /// <param name="targets">[..., T]; token ids in 0..V−1 where the mask counts.</param>
    /// <param name="mask">[..., T]; 1 where a position counts.</param>
    /// <param name="bias">b, [V]; null for none.</param>
    /// <param name="transform">Scale, soft cap and temperature of the logits; null for none.</param>
    /// <param name="chunkSize">Positions per chunk, at least 1.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree, or a counted target is not in 0..V−1.</exception>
    public static ChunkedTokens Gather(
        Tensor hidden,
        Tensor weight,
        Tensor targets,
        Tensor mask,
        Tensor? bias = null,
        LogitTransform? transform = null,
        int chunkSize = DefaultChunkSize
    )
    {
        Check(hidden, weight, targets, mask, bias, chunkSize);
        transform ??= LogitTransform.None;
        transform.Check();
        using var scope = NewDisposeScope();
        var counted = new CountedRows(mask);
        var (rows, ids) = (counted.Vectors(hidden), counted.Numbers(targets));
        CheckIds(ids, weight.shape[0]);
        if (bias is not null)
        {
            // W·h + b = [W b]·[h 1].
            rows = cat([rows, rows.new_ones(rows.shape[0], 1)], 1);
            weight = cat([weight, bias.unsqueeze(-1)], 1);
        }
        var found = ChunkedProjection.apply(rows, weight, ids, transform, chunkSize);
        return new ChunkedTokens(
            counted.Spread(found[0]).MoveToOuterDisposeScope(),
            counted.Spread(found[1]).MoveToOuterDisposeScope(),
            counted.Spread(found[2]).MoveToOuterDisposeScope(),
            counted.Spread(found[3]).MoveToOuterDisposeScope(),
            counted.Spread(found[4].to_type(hidden.dtype)).MoveToOuterDisposeScope()
        );
    }

    /// <summary>Refuses shapes and types that do not agree.</summary>
    internal static void Check(Tensor hidden, Tensor weight, Tensor targets, Tensor mask, Tensor? bias, int chunkSize)
    {
        Guard.AtLeast(chunkSize, 1, nameof(chunkSize));
        Guard.Floating(hidden, nameof(hidden));
        Guard.Ids(targets, nameof(targets));
        if (hidden.dim() != targets.dim() + 1 || !hidden.shape.AsSpan()[..^1].SequenceEqual(targets.shape))
            throw new ArgumentException(
                $"targets has shape {Guard.Shape(targets)}, expected hidden's shape {Guard.Shape(hidden)} without its last dimension",
                nameof(targets)
            );
        Guard.SameShape(mask, nameof(mask), targets, nameof(targets));
        Guard.Rank(weight, nameof(weight), 2, "[V,D]");
        if (weight.shape[1] != hidden.shape[^1] || weight.shape[0] == 0)
            throw new ArgumentException(
                $"weight has shape {Guard.Shape(weight)}, expected [V, {hidden.shape[^1]}] with V at least 1",
                nameof(weight)
            );
        if (weight.dtype != hidden.dtype)
            throw new ArgumentException($"weight has type {weight.dtype}, expected {hidden.dtype} as hidden", nameof(weight));
        if (bias is null)
            return;
        if (bias.dim() != 1 || bias.shape[0] != weight.shape[0])
            throw new ArgumentException($"bias has shape {Guard.Shape(bias)}, expected [{weight.shape[0]}]", nameof(bias));
        if (bias.dtype != hidden.dtype)
            throw new ArgumentException($"bias has type {bias.dtype}, expected {hidden.dtype} as hidden", nameof(bias));
    }

    private static void CheckIds(Tensor targets, long vocabulary)
    {
        if (targets.numel() == 0)
            return;
        long least = targets.min().ToInt64(),
            most = targets.max().ToInt64();
        if (least < 0 || most >= vocabulary)
            throw new ArgumentException(
                $"targets holds {(least < 0 ? least : most)} at a counted position, expected 0 to {vocabulary - 1}",
                nameof(targets)
            );
    }
}
