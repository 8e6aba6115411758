using PostTrain.Numerics;
using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.RewardModeling.Losses;

/// <summary>Losses that make scalar rewards agree with preferences.</summary>
/// <remarks>All depend on differences of rewards only (but for centring), so that a constant added to every reward of a prompt changes
/// nothing. All are finite, with finite gradients, for differences of ±1e4 and more. They return fresh tensors; the caller owns
/// them.</remarks>
public static class RewardModelLosses
{
    /// <summary>Bradley-Terry: L = mean[−(1−ε)·log σ(d) − ε·log σ(−d) + λ(r_w + r_l)²], d = r_w − r_l − μ.</summary>
    /// <remarks>
    /// Ouyang et al. 2022, arXiv:2203.02155, eq. 1 with K = 2; margin μ: Llama 2, arXiv:2307.09288, eq. 2; centring: Eisenstein et al.
    /// 2023, arXiv:2312.09244. With ε = λ = 0, ∂ℓ/∂r_w = −σ(−d) = −∂ℓ/∂r_l. A smoothed label turns d as a whole, its margin included.
    /// The accuracy and the margin that are reported look at r_w − r_l, without μ, as TRL's do. No pairs give 0.
    /// </remarks>
    /// <param name="chosenRewards">r_w, [N].</param>
    /// <param name="rejectedRewards">r_l, [N].</param>
    /// <param name="margins">μ, [N]; 0 when null. No gradient flows through it.</param>
    /// <param name="options">Centring and label smoothing; neither when null.</param>
    /// <param name="denominator">The number of pairs of the whole batch where this is a part of it; N when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static RewardLoss BradleyTerry(
        Tensor chosenRewards,
        Tensor rejectedRewards,
        Tensor? margins = null,
        BradleyTerryObjective? options = null,
        double? denominator = null
    )
    {
        options ??= new BradleyTerryObjective();
        options.Check();
        Check(chosenRewards, nameof(chosenRewards), rejectedRewards, nameof(rejectedRewards), margins, denominator);
        using var scope = NewDisposeScope();
        var call = new RewardCall(
            chosenRewards,
            rejectedRewards,
            margins,
            null,
            1 - options.LabelSmoothing,
            options.CenteringCoefficient,
            Divisor(denominator ?? chosenRewards.size(0))
        );
        if (Takes(call))
            return Result(call, own => BradleyTerry(own[0]!, own[1]!, own[2], options, denominator));
        var probabilities = full_like(chosenRewards.detach(), 1 - options.LabelSmoothing);
        return Pairwise(chosenRewards, rejectedRewards, probabilities, margins, options.CenteringCoefficient, denominator);
    }

    /// <summary>Bradley-Terry with soft labels: L = mean[−p·log σ(d) − (1−p)·log σ(−d) + λ(r_1 + r_2)²], d = r_1 − r_2 − μ.</summary>
    /// <remarks>
    /// p is, for example, the share of annotators or the judge's probability that prefers the first (RLAIF, Lee et al. 2023,
    /// arXiv:2309.00267, section 2.2). Without μ and λ the optimum is r_1 − r_2 = log(p/(1−p)); p = 1 is <see cref="BradleyTerry"/>. A pair
    /// with p = ½ counts as wrong in the accuracy.
    /// </remarks>
    /// <param name="firstRewards">r_1, [N].</param>
    /// <param name="secondRewards">r_2, [N].</param>
    /// <param name="probabilities">p, [N], between 0 and 1: the probability that the first is preferred. No gradient flows through
    /// it.</param>
    /// <param name="margins">μ, [N]; 0 when null.</param>
    /// <param name="centeringCoefficient">λ, at least 0.</param>
    /// <param name="denominator">The number of pairs of the whole batch where this is a part of it; N when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree, or a probability lies outside 0..1.</exception>
    public static RewardLoss SoftBradleyTerry(
        Tensor firstRewards,
        Tensor secondRewards,
        Tensor probabilities,
        Tensor? margins = null,
        double centeringCoefficient = 0,
        double? denominator = null
    )
    {
        Check(firstRewards, nameof(firstRewards), secondRewards, nameof(secondRewards), margins, denominator);
        Guard.SameShape(probabilities, nameof(probabilities), firstRewards, nameof(firstRewards));
        Guard.Floating(probabilities, nameof(probabilities));
        Guard.NotNegative(centeringCoefficient, nameof(centeringCoefficient));
        Guard.Probabilities(probabilities, nameof(probabilities));
        using var scope = NewDisposeScope();
        var call = new RewardCall(
            firstRewards,
            secondRewards,
            margins,
            probabilities,
            1,
            centeringCoefficient,
            Divisor(denominator ?? firstRewards.size(0))
        );
        if (Takes(call))
            return Result(call, own => SoftBradleyTerry(own[0]!, own[1]!, own[3]!, own[2], centeringCoefficient, denominator));
        return Pairwise(
            firstRewards,
            secondRewards,
            probabilities.detach().to_type(firstRewards.dtype),
            margins,
            centeringCoefficient,
            denominator
        );
    }

    /// <summary>All pairs of a ranking: L = mean over prompts of the mean over their pairs (i better than j) of −log σ(r_i −
    /// r_j).</summary>
    /// <remarks>
    /// InstructGPT, Ouyang et al. 2022, arXiv:2203.02155, eq. 1: the C(K,2) pairs of one prompt stand in one batch and weigh 1/C(K,2)
    /// together. Answers of equal rank are not compared. A prompt without a pair gives 0 and does not count in the mean. With K = 2 it is
    /// <see cref="BradleyTerry"/>.
    /// </remarks>
    /// <param name="rewards">[B,K].</param>
    /// <param name="ranks">[B,K], any type; the smaller the better. Only their order counts.</param>
    /// <param name="mask">[B,K]; 1 where there is an answer.</param>
    /// <param name="denominator">The number of prompts with a pair of the whole batch where this is a part of it; its own when
    /// null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static RankingLoss KWise(Tensor rewards, Tensor ranks, Tensor mask, double? denominator = null)
    {
        CheckRanking(rewards, ranks, mask, denominator);
        using var scope = NewDisposeScope();
        var (difference, better) = Pairs(rewards, ranks, mask);
        var promptLosses = Masked.Mean(difference.log_sigmoid().neg().flatten(1), better.flatten(1), 1);
        return Ranking(promptLosses, difference, better, denominator);
    }

    /// <summary>Plackett-Luce: L = mean over prompts of −Σ_k log(e^{r_(k)} / Σ_{j≥k} e^{r_(j)}), (k) being the k-th best answer.</summary>
    /// <remarks>
    /// Plackett 1975; Luce 1959; for language models Rafailov et al. 2023, arXiv:2305.18290, appendix A.3. Answers of equal rank compete
    /// with each other and with what is worse (Breslow's treatment of ties). With K = 2 it is <see cref="BradleyTerry"/>. A prompt without
    /// a pair gives 0 and does not count in the mean.
    /// </remarks>
    /// <param name="rewards">[B,K].</param>
    /// <param name="ranks">[B,K], any type; the smaller the better. Only their order counts.</param>
    /// <param name="mask">[B,K]; 1 where there is an answer.</param>
    /// <param name="denominator">The number of prompts with a pair of the whole batch where this is a part of it; its own when
    /// null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static RankingLoss PlackettLuce(Tensor rewards, Tensor ranks, Tensor mask, double? denominator = null)
    {
        CheckRanking(rewards, ranks, mask, denominator);
        using var scope = NewDisposeScope();
        var (difference, better) = Pairs(rewards, ranks, mask);
        var counted = mask != 0;
        // log Σ_j e^{r_j − r_i} over the counted j that are not better than i. i itself is one of them, so that no row is all −∞.
        var rivals = better
            .transpose(1, 2)
            .logical_not()
            .logical_and(counted.unsqueeze(1))
            .logical_or(eye(rewards.shape[1], dtype: ScalarType.Bool, device: rewards.device));
        var losses = difference.neg().masked_fill(rivals.logical_not(), double.NegativeInfinity).logsumexp(2);
        return Ranking(Masked.Sum(losses, mask, 1), difference, better, denominator);
    }

    private static bool Takes(RewardCall call) =>
        Fused.Takes(call.First, call.Second)
        && call.Margins is null or { device_type: DeviceType.CPU }
        && call.Probabilities is null or { device_type: DeviceType.CPU };

    private static RewardLoss Result(RewardCall call, Func<Tensor?[], RewardLoss> reference)
    {
        var (found, rewards) = RewardPass.Run(call);
        var (loss, losses) = LossOperator.Run(
            found.Loss,
            found.Losses,
            [found.ChosenGradient, found.RejectedGradient],
            [call.First, call.Second, call.Margins, call.Probabilities],
            own =>
            {
                var again = reference(own);
                return (again.Loss, again.PairLosses);
            }
        );
        Tensor Scalar(double value) => tensor(value, dtype: losses.dtype).MoveToOuterDisposeScope();
        return new RewardLoss(
            loss.MoveToOuterDisposeScope(),
            losses.MoveToOuterDisposeScope(),
            Scalar(found.Accuracy),
            Scalar(found.ChosenReward - found.RejectedReward),
            Scalar(rewards.Mean),
            Scalar(rewards.Least),
            Scalar(rewards.Most)
        );
    }

    // Within its caller's scope, out of which the results move.
    private static RewardLoss Pairwise(
        Tensor first,
        Tensor second,
        Tensor probabilities,
        Tensor? margins,
        double centering,
        double? denominator
    )
    {
        var difference = first - second;
        var shifted = margins is null ? difference : difference - margins.detach().to_type(first.dtype);
        // log σ, not log(1 + exp(·)): the latter overflows.
        var losses = probabilities * shifted.log_sigmoid().neg() - (1 - probabilities) * shifted.neg().log_sigmoid();
        if (centering > 0)
            losses = losses + (first + second).square() * centering;
        var loss = losses.sum() / Divisor(denominator ?? first.shape[0]);

        using var _ = no_grad();
        long pairs = first.shape[0];
        var all = cat([first.detach(), second.detach(), first.new_zeros(pairs == 0 ? 1 : 0)], 0);
        var agrees = (difference * (probabilities - 0.5) > 0).to_type(first.dtype);
        return new RewardLoss(
            loss.MoveToOuterDisposeScope(),
            losses.MoveToOuterDisposeScope(),
            agrees.sum().div(Divisor(pairs)).MoveToOuterDisposeScope(),
            difference.detach().sum().div(Divisor(pairs)).MoveToOuterDisposeScope(),
            all.mean().MoveToOuterDisposeScope(),
            all.min().MoveToOuterDisposeScope(),
            all.max().MoveToOuterDisposeScope()
        );
    }

    // r_i − r_j, and whether i is better than j, both [B,K,K] and in the caller's scope.
    private static (Tensor Difference, Tensor Better) Pairs(Tensor rewards, Tensor ranks, Tensor mask)
    {
        var scores = Masked.Counted(rewards, mask);
        var counted = mask != 0;
        var better = (ranks.unsqueeze(2) < ranks.unsqueeze(1)).logical_and(counted.unsqueeze(2)).logical_and(counted.unsqueeze(1));
        return (scores.unsqueeze(2) - scores.unsqueeze(1), better);
    }

    private static RankingLoss Ranking(Tensor promptLosses, Tensor difference, Tensor better, double? denominator)
    {
        double prompts = denominator ?? better.flatten(1).any(1).sum().ToDouble();
        var loss = promptLosses.sum() / Divisor(prompts);
        using var _ = no_grad();
        var accuracy = Masked.Mean((difference > 0).to_type(promptLosses.dtype), better);
        return new RankingLoss(loss.MoveToOuterDisposeScope(), promptLosses.MoveToOuterDisposeScope(), accuracy.MoveToOuterDisposeScope());
    }

    private static double Divisor(double count) => count > 0 ? count : 1;

    private static void Check(Tensor first, string firstName, Tensor second, string secondName, Tensor? margins, double? denominator)
    {
        Guard.Rank(first, firstName, 1, "[N]");
        Guard.Floating(first, firstName);
        Guard.SameShape(second, secondName, first, firstName);
        Guard.Floating(second, secondName);
        if (margins is not null)
            Guard.SameShape(margins, nameof(margins), first, firstName);
        if (denominator is { } given)
            Guard.NotNegative(given, nameof(denominator));
    }

    private static void CheckRanking(Tensor rewards, Tensor ranks, Tensor mask, double? denominator)
    {
        Guard.Rank(rewards, nameof(rewards), 2, "[B,K]");
        Guard.Floating(rewards, nameof(rewards));
        if (rewards.shape[1] == 0)
            throw new ArgumentException(
                $"rewards has shape {Guard.Shape(rewards)}, expected at least one answer a prompt",
                nameof(rewards)
            );
        Guard.SameShape(ranks, nameof(ranks), rewards, nameof(rewards));
        Guard.SameShape(mask, nameof(mask), rewards, nameof(rewards));
        if (denominator is { } given)
            Guard.NotNegative(given, nameof(denominator));
    }
}
