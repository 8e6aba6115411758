using PostTrain.Numerics;
using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference.Losses;

/// <summary>Losses of completions that were each judged desirable or not, without a partner.</summary>
/// <remarks>
/// Each is the mean over completions; <c>denominator</c> is their number in the whole batch where the given ones are a part of it. No
/// gradient flows through the reference. No completion gives 0. All return fresh tensors; the caller owns them.
/// </remarks>
public static class UnpairedLosses
{
    /// <summary>KTO: λ_D(1 − σ(β(D − z₀))) for desirable, λ_U(1 − σ(β(z₀ − D))) for undesirable completions, D = log π(y) − log
    /// π_ref(y).</summary>
    /// <remarks>
    /// Ethayarajh et al. 2024, arXiv:2402.01306, eq. 8. Without z₀ and with weights of 1 it is the unpaired form of APO-zero
    /// (arXiv:2408.06266). Values lie between 0 and the larger weight; where D is far from z₀ the gradient fades away.
    /// </remarks>
    /// <param name="logProbs">Sequence log-probabilities log π(y|x), [B].</param>
    /// <param name="referenceLogProbs">Under the reference, [B].</param>
    /// <param name="desirable">[B], bool or 0/1.</param>
    /// <param name="referencePoint">z₀, a scalar without a gradient, see <see cref="ReferencePoint"/>; 0 when null.</param>
    /// <param name="options">Defaults when null.</param>
    /// <param name="denominator">The divisor of the sum; B when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static UnpairedLoss Kto(
        Tensor logProbs,
        Tensor referenceLogProbs,
        Tensor desirable,
        Tensor? referencePoint = null,
        KtoObjective? options = null,
        double? denominator = null
    )
    {
        Check(logProbs, referenceLogProbs, desirable);
        if (referencePoint is not null)
            Guard.Rank(referencePoint, nameof(referencePoint), 0, "a scalar");
        options ??= new KtoObjective();
        options.Validate();
        using var scope = NewDisposeScope();
        if (
            KtoCall(logProbs, referenceLogProbs, desirable, referencePoint?.ToDouble() ?? 0, options, denominator) is { IsTaken: true } call
        )
            return Result(
                CompletionPass.Kto(call),
                [logProbs, referenceLogProbs, desirable, referencePoint],
                own => Kto(own[0]!, own[1]!, own[2]!, own[3], options, denominator)
            );
        var ratios = logProbs - referenceLogProbs.detach();
        var good = desirable != 0;
        var distance = (referencePoint is null ? ratios : ratios - referencePoint.detach()) * options.Beta;
        // 1 − σ(x) = σ(−x)
        var losses =
            where(good, distance.neg(), distance).sigmoid()
            * where(good, full_like(ratios, options.DesirableWeight), full_like(ratios, options.UndesirableWeight)).detach();
        return Result(losses, ratios * options.Beta, denominator);
    }

    /// <summary>KTO's reference point z₀ = max(0, mean(log π(y′) − log π_ref(y′))): an estimate of KL(π‖π_ref) from completions y′ of other
    /// prompts.</summary>
    /// <remarks>arXiv:2402.01306, section 4.1. Without a gradient; 0 for no completion.</remarks>
    /// <param name="mismatchedLogProbs">log π(y′|x) of each prompt with another prompt's completion, [B].</param>
    /// <param name="mismatchedReferenceLogProbs">Under the reference, [B].</param>
    /// <returns>A scalar of at least 0.</returns>
    public static Tensor ReferencePoint(Tensor mismatchedLogProbs, Tensor mismatchedReferenceLogProbs)
    {
        Guard.Rank(mismatchedLogProbs, nameof(mismatchedLogProbs), 1, "[B]");
        Guard.Floating(mismatchedLogProbs, nameof(mismatchedLogProbs));
        Guard.SameShape(mismatchedReferenceLogProbs, nameof(mismatchedReferenceLogProbs), mismatchedLogProbs, nameof(mismatchedLogProbs));
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return PreferenceLosses.Mean(mismatchedLogProbs - mismatchedReferenceLogProbs, null).clamp_min(0).MoveToOuterDisposeScope();
    }

    /// <summary>BCO: −log σ(βD − δ) for desirable, −w·log σ(−(βD − δ)) for undesirable completions.</summary>
    /// <remarks>
    /// Jung et al. 2024, arXiv:2404.04656: a classifier of desirable completions whose logit is the implicit reward; δ is the running mean
    /// of the rewards (<see cref="RewardMoments"/>, brought up to date with this batch first), w the density ratio p(desirable
    /// prompt)/p(undesirable prompt) of its underlying distribution matching.
    /// </remarks>
    /// <param name="logProbs">[B].</param>
    /// <param name="referenceLogProbs">[B].</param>
    /// <param name="desirable">[B], bool or 0/1.</param>
    /// <param name="shift">δ, a finite number; 0 by default.</param>
    /// <param name="undesirableWeights">w, [B], read where undesirable, without a gradient; 1 when null.</param>
    /// <param name="beta">β above 0; 0.1 by default.</param>
    /// <param name="denominator">The divisor of the sum; B when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static UnpairedLoss Bco(
        Tensor logProbs,
        Tensor referenceLogProbs,
        Tensor desirable,
        double shift = 0,
        Tensor? undesirableWeights = null,
        double beta = 0.1,
        double? denominator = null
    )
    {
        Check(logProbs, referenceLogProbs, desirable);
        Guard.Positive(beta, nameof(beta));
        if (!double.IsFinite(shift))
            throw new ArgumentOutOfRangeException(nameof(shift), shift, "shift must be a finite number");
        if (undesirableWeights is not null)
            Guard.SameShape(undesirableWeights, nameof(undesirableWeights), logProbs, nameof(logProbs));
        using var scope = NewDisposeScope();
        var call = new CompletionCall(logProbs, referenceLogProbs, desirable, beta, shift, Divisor(logProbs, denominator))
        {
            UndesirableWeights = undesirableWeights,
        };
        if (call.IsTaken)
            return Result(
                CompletionPass.Bco(call),
                [logProbs, referenceLogProbs, desirable, undesirableWeights],
                own => Bco(own[0]!, own[1]!, own[2]!, shift, own[3], beta, denominator)
            );
        var rewards = (logProbs - referenceLogProbs.detach()) * beta;
        var good = desirable != 0;
        var logits = rewards - shift;
        var losses = Stable.LogSigmoid(where(good, logits, logits.neg())).neg();
        if (undesirableWeights is not null)
            losses = losses * undesirableWeights.detach().to_type(losses.dtype).masked_fill(good, 1);
        return Result(losses, rewards, denominator);
    }

    /// <summary><see cref="Kto"/> as a call of <see cref="CompletionPass"/>.</summary>
    internal static CompletionCall KtoCall(
        Tensor logProbs,
        Tensor referenceLogProbs,
        Tensor desirable,
        double referencePoint,
        KtoObjective options,
        double? denominator
    ) =>
        new(logProbs, referenceLogProbs, desirable, options.Beta, referencePoint, Divisor(logProbs, denominator))
        {
            Weights = (options.DesirableWeight, options.UndesirableWeight),
        };

    private static double Divisor(Tensor logProbs, double? denominator)
    {
        if (denominator is { } given)
            Guard.Positive(given, nameof(denominator));
        return denominator ?? Math.Max(logProbs.size(0), 1);
    }

    private static UnpairedLoss Result(CompletionResult found, Tensor?[] inputs, Func<Tensor?[], UnpairedLoss> reference)
    {
        var (loss, losses) = LossOperator.Run(
            found.Loss,
            found.Losses,
            [found.Gradient],
            inputs,
            own =>
            {
                var again = reference(own);
                return (again.Loss, again.Losses);
            }
        );
        return new UnpairedLoss(loss.MoveToOuterDisposeScope(), losses.MoveToOuterDisposeScope(), found.Rewards.MoveToOuterDisposeScope());
    }

    private static void Check(Tensor logProbs, Tensor referenceLogProbs, Tensor desirable)
    {
        Guard.Rank(logProbs, nameof(logProbs), 1, "[B]");
        Guard.Floating(logProbs, nameof(logProbs));
        Guard.SameShape(referenceLogProbs, nameof(referenceLogProbs), logProbs, nameof(logProbs));
        Guard.SameShape(desirable, nameof(desirable), logProbs, nameof(logProbs));
    }

    private static UnpairedLoss Result(Tensor losses, Tensor rewards, double? denominator)
    {
        var loss = PreferenceLosses.Mean(losses, denominator);
        return new UnpairedLoss(
            loss.MoveToOuterDisposeScope(),
            losses.MoveToOuterDisposeScope(),
            rewards.detach().clone().MoveToOuterDisposeScope()
        );
    }
}
