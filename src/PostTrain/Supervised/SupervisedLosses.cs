using PostTrain.Numerics;
using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Supervised;

/// <summary>Losses that make given tokens likely.</summary>
public static class SupervisedLosses
{
    /// <summary>Negative log-likelihood L = −agg[log π(target)]; by default the mean over the counted tokens, −(1/Σm) Σ m·log π.</summary>
    /// <remarks>
    /// The loss of supervised fine-tuning. Its gradient with respect to the logits is (softmax(z) − onehot(target))·m/Σm.
    /// A mask without a counted token gives 0. Returns fresh tensors; the caller owns them.
    /// </remarks>
    /// <param name="logits">[B,T,V]; the logits at a position predict its target (already shifted).</param>
    /// <param name="targets">[B,T], token ids in 0..V−1 where the mask counts; the others are not read.</param>
    /// <param name="mask">[B,T]; 1 where the target is to be learnt.</param>
    /// <param name="aggregation">Token mean when null.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch where this is a part of it; its own when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static SupervisedLoss NegativeLogLikelihood(
        Tensor logits,
        Tensor targets,
        Tensor mask,
        LossAggregation? aggregation = null,
        double? denominator = null
    )
    {
        Guard.Rank(logits, nameof(logits), 3, "[B,T,V]");
        using var scope = NewDisposeScope();
        var losses = TokenLogProbs.Gather(logits, targets, mask).neg();
        var loss = (aggregation ?? LossAggregation.TokenMean).Apply(losses, mask, denominator);

        using var _ = no_grad();
        var accuracy = Masked.Mean(logits.argmax(-1).eq(targets).to_type(losses.dtype), mask);
        return new SupervisedLoss(loss.MoveToOuterDisposeScope(), losses.MoveToOuterDisposeScope(), accuracy.MoveToOuterDisposeScope());
    }

    /// <summary>Dynamic fine-tuning L = −agg[sg(π(target))·log π(target)]: the likelihood weighted by the token's own
    /// probability.</summary>
    /// <remarks>Wu et al. 2025, arXiv:2508.05629, eq. 9: what the model finds unlikely pulls less. A preset of
    /// <see cref="CrossEntropy"/>.</remarks>
    /// <inheritdoc cref="NegativeLogLikelihood"/>
    public static SupervisedLoss Dft(
        Tensor logits,
        Tensor targets,
        Tensor mask,
        LossAggregation? aggregation = null,
        double? denominator = null
    ) =>
        CrossEntropy(
            logits,
            targets,
            mask,
            new CrossEntropyObjective { Weighting = TokenWeighting.Probability },
            null,
            aggregation,
            denominator
        );

    /// <summary>Cross-entropy with label smoothing, z-loss, shaped logits and weights, per token ℓ = w·[φ·((1−ε)·(−log π_y) +
    /// ε·(1/V)Σ_v(−log π_v)) + λ·(log Σ_v exp z_v)²].</summary>
    /// <remarks>
    /// π = softmax(z), φ = 1 or sg(π_y) (<see cref="CrossEntropyObjective.Weighting"/>). The smoothing runs over the whole vocabulary, the
    /// target included, as PyTorch's does. Token weights change the numerator only: the mean is over the counted tokens, not over
    /// their weights; give a denominator for the other. The accuracy counts weights as little. A mask without a counted token gives 0.
    /// Returns fresh tensors; the caller owns them.
    /// </remarks>
    /// <param name="logits">[B,T,V]; the logits at a position predict its target (already shifted).</param>
    /// <param name="targets">[B,T], token ids in 0..V−1 where the mask counts; the others are not read.</param>
    /// <param name="mask">[B,T]; 1 where the target is to be learnt.</param>
    /// <param name="options">The terms.</param>
    /// <param name="weights">w, [B,T]; 1 when null. No gradient flows through them.</param>
    /// <param name="aggregation">Token mean when null.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch where this is a part of it; its own when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public static SupervisedLoss CrossEntropy(
        Tensor logits,
        Tensor targets,
        Tensor mask,
        CrossEntropyObjective options,
        Tensor? weights = null,
        LossAggregation? aggregation = null,
        double? denominator = null
    )
    {
        Guard.Rank(logits, nameof(logits), 3, "[B,T,V]");
        Guard.Floating(logits, nameof(logits));
        Guard.Ids(targets, nameof(targets));
        if (!logits.shape.AsSpan()[..^1].SequenceEqual(targets.shape))
            throw new ArgumentException(
                $"targets has shape {Guard.Shape(targets)}, expected logits' shape {Guard.Shape(logits)} without its last dimension",
                nameof(targets)
            );
        Guard.SameShape(mask, nameof(mask), targets, nameof(targets));
        CheckWeights(weights, targets);
        options.Check();
        using var scope = NewDisposeScope();
        if (options.IsOfLogProbsAlone && LogProbOperator.Takes(logits, targets, mask))
        {
            var (found, hits) = LogProbOperator.Run(logits, targets, mask, hits: true);
            return Aggregated(TokenLosses(found, found, found, options), weights, mask, hits!, aggregation, denominator);
        }
        var counted = new CountedRows(mask);
        var ids = counted.Numbers(targets).unsqueeze(-1);
        var rows = options.Logits.Apply(counted.Vectors(logits));
        var rowLogProbs = rows.log_softmax(-1);
        var logProbs = rowLogProbs.gather(-1, ids).squeeze(-1);
        // What a factor of 0 would multiply is not computed.
        var meanLogProbs = options.LabelSmoothing > 0 ? rowLogProbs.sum(-1) / rows.shape[1] : logProbs;
        var logPartitions = options.ZLoss > 0 ? rows.logsumexp(-1) : logProbs;
        var losses = counted.Spread(TokenLosses(logProbs, meanLogProbs, logPartitions, options));
        var correct = counted.Spread(rows.detach().argmax(-1, true).eq(ids).squeeze(-1).to_type(losses.dtype));
        return Aggregated(losses, weights, mask, correct, aggregation, denominator);
    }

    /// <summary><see cref="CrossEntropy"/> from hidden states and the output projection, without the logits of more than one chunk of
    /// positions.</summary>
    /// <remarks>Holds [chunkSize,V] numbers in the place of [B·T,V]. The plain loss makes its gradients in the forward pass; otherwise the
    /// backward pass projects again. The chunk size does not change the numbers beyond the last digits. See <see
    /// cref="ChunkedLogProbs"/>.</remarks>
    /// <param name="hidden">[B,T,D]; the states that predict the targets (already shifted).</param>
    /// <param name="weight">[V,D], the output projection.</param>
    /// <param name="targets">[B,T], token ids in 0..V−1 where the mask counts; the others are not read.</param>
    /// <param name="mask">[B,T]; 1 where the target is to be learnt.</param>
    /// <param name="options">The terms; the plain negative log-likelihood when null.</param>
    /// <param name="bias">[V], of the projection; none when null.</param>
    /// <param name="weights">w, [B,T]; 1 when null. No gradient flows through them.</param>
    /// <param name="aggregation">Token mean when null.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch where this is a part of it; its own when null.</param>
    /// <param name="chunkSize">Positions at a time, at least 1.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree, or a counted target is not in 0..V−1.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public static SupervisedLoss ChunkedCrossEntropy(
        Tensor hidden,
        Tensor weight,
        Tensor targets,
        Tensor mask,
        CrossEntropyObjective? options = null,
        Tensor? bias = null,
        Tensor? weights = null,
        LossAggregation? aggregation = null,
        double? denominator = null,
        int chunkSize = ChunkedLogProbs.DefaultChunkSize
    )
    {
        Guard.Rank(hidden, nameof(hidden), 3, "[B,T,D]");
        CheckWeights(weights, targets);
        options ??= new CrossEntropyObjective();
        options.Check();
        using var scope = NewDisposeScope();
        if (options.IsPlain && bias is null && Fused.Takes(hidden))
        {
            ChunkedLogProbs.Check(hidden, weight, targets, mask, bias, chunkSize);
            var found = OfHidden(hidden, weight, targets, mask, aggregation ?? LossAggregation.TokenMean, denominator, weights, chunkSize);
            if (found is not null)
            {
                var losses = LossOperator.Elements(
                    found.TokenLosses,
                    [hidden, weight, targets, mask, weights],
                    own => Again(own[0]!, own[1]!, own[2]!, own[3]!, own[4]).TokenLosses
                );
                return new SupervisedLoss(
                    found.Loss.MoveToOuterDisposeScope(),
                    losses.MoveToOuterDisposeScope(),
                    found.Accuracy.MoveToOuterDisposeScope()
                );
            }
        }
        return Again(hidden, weight, targets, mask, weights);

        SupervisedLoss Again(Tensor states, Tensor projection, Tensor ids, Tensor counts, Tensor? factors)
        {
            var tokens = ChunkedLogProbs.Gather(states, projection, ids, counts, bias, options.Logits, chunkSize);
            var losses = TokenLosses(tokens.LogProbs, tokens.MeanLogProbs, tokens.LogPartitions, options);
            return Aggregated(losses, factors, counts, tokens.Correct, aggregation, denominator);
        }
    }

    /// <summary>The plain negative log-likelihood from hidden states, with gradients made in the forward pass and without the logits of
    /// more than one chunk; null where the operator does not take the inputs.</summary>
    /// <param name="hidden">[B,T,D].</param>
    /// <param name="weight">[V,D].</param>
    /// <param name="targets">[B,T].</param>
    /// <param name="mask">[B,T].</param>
    /// <param name="aggregation">The aggregation.</param>
    /// <param name="denominator">As in <see cref="CrossEntropy"/>.</param>
    /// <param name="weights">[B,T]; 1 when null.</param>
    /// <param name="chunkSize">Positions at a time.</param>
    /// <returns>The loss with its graph; the losses of the tokens have none.</returns>
    internal static SupervisedLoss? OfHidden(
        Tensor hidden,
        Tensor weight,
        Tensor targets,
        Tensor mask,
        LossAggregation aggregation,
        double? denominator,
        Tensor? weights = null,
        int chunkSize = LinearLossOperator.DefaultChunk
    )
    {
        using var scope = NewDisposeScope();
        var counted = new CountedRows(mask);
        var ids = counted.Numbers(targets);
        if (!LinearLossOperator.Takes(hidden, weight, ids))
            return null;
        // An aggregation is linear in the losses: its gradient are the factors of the tokens.
        Tensor factors;
        using (enable_grad())
        {
            var losses = zeros(mask.size(0), mask.size(1), dtype: LinearLossOperator.TypeOf(hidden), requires_grad: true);
            aggregation.Apply(losses, mask, denominator).backward();
            factors = counted.Numbers(losses.grad!);
        }
        var given = weights is null ? null : counted.Numbers(weights.detach()).to_type(factors.dtype);
        var (loss, rows) = LinearLossOperator.Run(
            counted.Vectors(hidden),
            weight,
            ids,
            given is null ? factors : factors * given,
            chunkSize
        );
        return new SupervisedLoss(
            loss.MoveToOuterDisposeScope(),
            counted.Spread(given is null ? rows.Losses : rows.Losses * given).MoveToOuterDisposeScope(),
            Masked.Mean(counted.Spread(rows.Hits), mask).MoveToOuterDisposeScope()
        );
    }

    private static void CheckWeights(Tensor? weights, Tensor targets)
    {
        if (weights is null)
            return;
        Guard.Floating(weights, nameof(weights));
        Guard.SameShape(weights, nameof(weights), targets, nameof(targets));
    }

    // Before weights. At a position that does not count all three arguments are 0, and so is this.
    private static Tensor TokenLosses(Tensor logProbs, Tensor meanLogProbs, Tensor logPartitions, CrossEntropyObjective options)
    {
        double smoothing = options.LabelSmoothing;
        var losses = smoothing > 0 ? logProbs * (smoothing - 1) - meanLogProbs * smoothing : logProbs.neg();
        if (options.Weighting == TokenWeighting.Probability)
            losses = losses * logProbs.detach().exp();
        return options.ZLoss > 0 ? losses + logPartitions.square() * options.ZLoss : losses;
    }

    private static SupervisedLoss Aggregated(
        Tensor losses,
        Tensor? weights,
        Tensor mask,
        Tensor correct,
        LossAggregation? aggregation,
        double? denominator
    )
    {
        if (weights is not null)
            losses = losses * Masked.Counted(weights.detach(), mask).to_type(losses.dtype);
        var loss = (aggregation ?? LossAggregation.TokenMean).Apply(losses, mask, denominator);
        return new SupervisedLoss(
            loss.MoveToOuterDisposeScope(),
            losses.MoveToOuterDisposeScope(),
            Masked.Mean(correct, mask).MoveToOuterDisposeScope()
        );
    }
}
