using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Estimators;

// Advantages of whole completions: one reward each, less a baseline.
public static partial class Advantages
{
    /// <summary>A_i = r_i − b_i; REINFORCE without a baseline where none is given.</summary>
    /// <remarks>
    /// Williams 1992. Unbiased for every b that does not depend on the completion's own reward. With the reward of the greedy completion as
    /// b it is self-critical sequence training (Rennie et al. 2017, arXiv:1612.00563) and ReMax (arXiv:2310.10505).
    /// </remarks>
    /// <param name="rewards">[N].</param>
    /// <param name="baselines">[N], or null for 0.</param>
    /// <returns>[N], without a gradient.</returns>
    public static Tensor Reinforce(Tensor rewards, Tensor? baselines = null)
    {
        Guard.Rank(rewards, nameof(rewards), 1, "[N]");
        Guard.Floating(rewards, nameof(rewards));
        if (baselines is not null)
            Guard.SameShape(baselines, nameof(baselines), rewards, nameof(rewards));
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return (baselines is null ? rewards.detach().clone() : rewards.detach() - baselines.detach()).MoveToOuterDisposeScope();
    }

    /// <summary>Self-critical sequence training: A_i = r_i − r(greedy completion of the same prompt).</summary>
    /// <remarks>Rennie et al. 2017, arXiv:1612.00563, eq. 7. E[gradient] = ∇J exactly. A sample equal to the greedy completion gets
    /// 0.</remarks>
    /// <param name="rewards">[N].</param>
    /// <param name="greedyRewards">[N], or [N/G] for G samples of each prompt standing one after another.</param>
    /// <returns>[N], without a gradient.</returns>
    public static Tensor SelfCritical(Tensor rewards, Tensor greedyRewards)
    {
        Guard.Rank(rewards, nameof(rewards), 1, "[N]");
        Guard.Rank(greedyRewards, nameof(greedyRewards), 1, "[N] or [N/G]");
        long prompts = greedyRewards.shape[0];
        if (prompts == 0 ? rewards.shape[0] != 0 : rewards.shape[0] % prompts != 0)
            throw new ArgumentException(
                $"greedyRewards holds {prompts} values, expected a divisor of the {rewards.shape[0]} rewards",
                nameof(greedyRewards)
            );
        using var scope = NewDisposeScope();
        return Reinforce(rewards, prompts == 0 ? greedyRewards : greedyRewards.repeat_interleave(rewards.shape[0] / prompts))
            .MoveToOuterDisposeScope();
    }

    /// <summary>ReMax with token rewards: A_t = Σ_{k≥t} r_k − b, b the whole reward of the greedy completion.</summary>
    /// <remarks>Li et al. 2024, arXiv:2310.10505, algorithm 2.</remarks>
    /// <param name="rewards">Token rewards, [B,T]; see <see cref="TokenRewards"/>.</param>
    /// <param name="greedyRewards">[B].</param>
    /// <param name="mask">[B,T].</param>
    /// <returns>[B,T], 0 where nothing counts; without a gradient.</returns>
    public static Tensor ReMax(Tensor rewards, Tensor greedyRewards, Tensor mask)
    {
        CheckSteps(rewards, mask, 1);
        ArgumentNullException.ThrowIfNull(greedyRewards);
        if (greedyRewards.dim() != 1 || greedyRewards.shape[0] != rewards.shape[0])
            throw new ArgumentException(
                $"greedyRewards has shape {Guard.Shape(greedyRewards)}, expected [{rewards.shape[0]}]",
                nameof(greedyRewards)
            );
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return Masked.Counted(Returns(rewards, mask) - greedyRewards.detach().unsqueeze(1), mask).MoveToOuterDisposeScope();
    }

    /// <summary>RLOO: A_i = r_i − mean of the group's other rewards = G/(G − 1)·(r_i − r̄).</summary>
    /// <remarks>
    /// Kool et al. 2019; Ahmadian et al. 2024, arXiv:2402.14740, eq. 8. E[gradient] = ∇J exactly, where the mean of the whole group
    /// gives (G − 1)/G of it. A group of one has nothing to compare with and gives 0 (verl returns the reward itself).
    /// </remarks>
    /// <param name="rewards">[N], N a multiple of <paramref name="groupSize"/>.</param>
    /// <param name="groupSize">Completions per prompt, at least 1.</param>
    /// <param name="scored">[N]; 1 where the completion has a reward, all of them when null. The others get 0.</param>
    /// <returns>[N], without a gradient.</returns>
    public static Tensor LeaveOneOut(Tensor rewards, int groupSize, Tensor? scored = null)
    {
        CheckGroups(rewards, groupSize, scored);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (groups, counted) = Groups(rewards, groupSize, scored);
        var count = counted.to_type(groups.dtype).sum(1L).unsqueeze(1);
        var advantages = Centred(groups, counted, 1) * (count / (count - 1).clamp_min(1));
        return advantages.masked_fill(Equal(groups, counted, 1), 0).reshape(-1).MoveToOuterDisposeScope();
    }

    /// <summary>Standardised over the batch: (A − mean)/(std + ε), the deviation dividing by n − 1.</summary>
    /// <param name="advantages">[N].</param>
    /// <param name="epsilon">ε, at least 0; 1e-4 by default, as in TRL.</param>
    /// <param name="scored">[N]; 1 where the completion has a reward, all of them when null. The others get 0.</param>
    /// <returns>[N], without a gradient; 0 for a batch of one or of equal values.</returns>
    public static Tensor Standardized(Tensor advantages, double epsilon = 1e-4, Tensor? scored = null)
    {
        Guard.Rank(advantages, nameof(advantages), 1, "[N]");
        using var scope = NewDisposeScope();
        return GroupRelative(advantages, Math.Max(1, (int)advantages.shape[0]), GroupScaling.Group, epsilon, scored)
            .MoveToOuterDisposeScope();
    }

    /// <summary>GDPO: each reward component normalised in its group, the weighted sum standardised over the batch.</summary>
    /// <remarks>
    /// Liu et al. 2026, "Group reward-Decoupled Normalization Policy Optimization", arXiv:2601.05242: a component with large numbers cannot
    /// drown another, as it does where the sum is normalised.
    /// </remarks>
    /// <param name="rewards">[N,C], one column a component.</param>
    /// <param name="weights">C weights.</param>
    /// <param name="groupSize">Completions per prompt, at least 1.</param>
    /// <param name="epsilon">ε, at least 0; 1e-4 by default.</param>
    /// <param name="scored">[N,C]; 1 where the component has a value. A completion without any gets 0 and takes no part.</param>
    /// <returns>[N], without a gradient.</returns>
    public static Tensor PerComponent(
        Tensor rewards,
        IReadOnlyList<double> weights,
        int groupSize,
        double epsilon = 1e-4,
        Tensor? scored = null
    )
    {
        Guard.Rank(rewards, nameof(rewards), 2, "[N,C]");
        Guard.Floating(rewards, nameof(rewards));
        if (weights.Count != rewards.shape[1])
            throw new ArgumentException(
                $"weights holds {weights.Count} values, expected {rewards.shape[1]}, one a column of rewards",
                nameof(weights)
            );
        if (scored is not null)
            Guard.SameShape(scored, nameof(scored), rewards, nameof(rewards));
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var total = rewards.new_zeros(rewards.shape[0]);
        for (int c = 0; c < weights.Count; c++)
            total += GroupRelative(rewards.select(1, c), groupSize, GroupScaling.Group, epsilon, scored?.select(1, c)) * weights[c];
        return Standardized(total, epsilon, scored is null ? null : (scored != 0).any(1)).MoveToOuterDisposeScope();
    }

    /// <summary>REINFORCE++: the discounted token returns, standardised over all tokens of the batch.</summary>
    /// <remarks>Hu et al. 2025, arXiv:2501.03262, eq. 7-8; the KL penalty belongs into the rewards, see <see cref="TokenRewards.WithKl"/>.
    /// (x − μ)/√(σ² + 1e-8), σ² dividing by n − 1.</remarks>
    /// <param name="rewards">Token rewards, [B,T].</param>
    /// <param name="mask">[B,T].</param>
    /// <param name="gamma">γ, 0 to 1; 1 by default.</param>
    /// <returns>[B,T], 0 where nothing counts; without a gradient.</returns>
    public static Tensor ReinforcePlusPlus(Tensor rewards, Tensor mask, double gamma = 1)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return Masked.Whiten(Returns(rewards, mask, gamma), mask, unbiased: true).MoveToOuterDisposeScope();
    }

    /// <summary>REINFORCE++ with baseline: the reward less its group's mean, standardised over all tokens of the batch.</summary>
    /// <remarks>arXiv:2501.03262, section 3.3.</remarks>
    /// <param name="rewards">[N].</param>
    /// <param name="groupSize">Completions per prompt, at least 1.</param>
    /// <param name="mask">[N,T].</param>
    /// <returns>[N,T], 0 where nothing counts; without a gradient.</returns>
    public static Tensor ReinforcePlusPlusBaseline(Tensor rewards, int groupSize, Tensor mask)
    {
        CheckGroups(rewards, groupSize, null);
        Guard.Rank(mask, nameof(mask), 2, "[N,T]");
        if (mask.shape[0] != rewards.shape[0])
            throw new ArgumentException(
                $"mask has shape {Guard.Shape(mask)}, expected {rewards.shape[0]} rows, one a reward",
                nameof(mask)
            );
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var centred = GroupRelative(rewards, groupSize, GroupScaling.None).unsqueeze(1).expand(mask.shape);
        return Masked.Whiten(centred, mask, unbiased: true).MoveToOuterDisposeScope();
    }

    /// <summary>OPO: A_i = r_i − Σ_j L_j r_j / Σ_j L_j, the length-weighted baseline of the group.</summary>
    /// <remarks>Hao et al. 2025, arXiv:2505.23585, eq. 9: the variance-optimal baseline where the squared gradient norm grows with the
    /// length. Biased by O(1/G): the own sample is in it. Equal rewards give exactly 0.</remarks>
    /// <param name="rewards">[N].</param>
    /// <param name="lengths">Tokens of each completion, [N].</param>
    /// <param name="groupSize">Completions per prompt, at least 1.</param>
    /// <returns>[N], without a gradient.</returns>
    public static Tensor OptimalReward(Tensor rewards, Tensor lengths, int groupSize)
    {
        CheckGroups(rewards, groupSize, null);
        Guard.SameShape(lengths, nameof(lengths), rewards, nameof(rewards));
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var groups = rewards.detach().view(-1, groupSize);
        var weights = lengths.to_type(groups.dtype).view(-1, groupSize);
        var total = weights.sum(1L).unsqueeze(1);
        // Nobody has a token: nothing to weigh with, and nothing to learn from.
        var baseline = (groups * weights).sum(1L).unsqueeze(1) / total.masked_fill(total == 0, 1);
        var everything = ones_like(groups, dtype: ScalarType.Bool);
        return (groups - baseline).masked_fill(Equal(groups, everything, 1), 0).reshape(-1).MoveToOuterDisposeScope();
    }

    /// <summary>GPG: A_i = α·(r_i − r̄)/F, α = N / number of completions in groups whose rewards differ.</summary>
    /// <remarks>Chu et al. 2025, arXiv:2504.02546, eq. 8: α makes up for the groups without a gradient. verl counts the completions with a
    /// reward other than 0 instead: <paramref name="countRewards"/>.</remarks>
    /// <param name="rewards">[N].</param>
    /// <param name="groupSize">Completions per prompt, at least 1.</param>
    /// <param name="normalizer">F, above 0; 1 by default.</param>
    /// <param name="countRewards">verl's count.</param>
    /// <returns>[N], without a gradient.</returns>
    public static Tensor GroupPolicyGradient(Tensor rewards, int groupSize, double normalizer = 1, bool countRewards = false)
    {
        CheckGroups(rewards, groupSize, null);
        Guard.Positive(normalizer, nameof(normalizer));
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var centred = GroupRelative(rewards, groupSize, GroupScaling.None);
        var (groups, counted) = Groups(rewards, groupSize, null);
        var informative = countRewards ? rewards.detach() != 0 : Equal(groups, counted, 1).logical_not().expand_as(groups);
        var share = informative.to_type(centred.dtype).sum().clamp_min(1);
        return (centred * (rewards.shape[0] / share) / normalizer).MoveToOuterDisposeScope();
    }

    /// <summary>Pass@k training: the group's best completion gets r₍₁₎ − r₍₂₎, the others 0.</summary>
    /// <remarks>verl's GRPO_PASSK; the leave-one-out estimate of the gradient of E[max_i r_i] (arXiv:2503.19595). Of equal bests the first
    /// is taken, with advantage 0. A group of one gives 0.</remarks>
    /// <param name="rewards">[N].</param>
    /// <param name="groupSize">Completions per prompt, at least 1.</param>
    /// <param name="scale">Divide by the group's deviation + ε, as verl does by default.</param>
    /// <param name="epsilon">ε, at least 0; 1e-6 by default.</param>
    /// <returns>[N], without a gradient.</returns>
    public static Tensor PassAtK(Tensor rewards, int groupSize, bool scale = false, double epsilon = 1e-6)
    {
        CheckGroups(rewards, groupSize, null);
        Guard.NotNegative(epsilon, nameof(epsilon));
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (groups, counted) = Groups(rewards, groupSize, null);
        if (groupSize == 1)
            return zeros_like(rewards).MoveToOuterDisposeScope();
        var (values, places) = groups.topk(2, 1);
        var gap = values.narrow(1, 0, 1) - values.narrow(1, 1, 1);
        if (scale)
            gap = Divide(gap, Deviation(groups, counted, 1), epsilon);
        return zeros_like(groups).scatter(1, places.narrow(1, 0, 1), gap).reshape(-1).MoveToOuterDisposeScope();
    }

    /// <summary>Optimal token baseline: A_t = G_t − Σ_i G_t W_t / Σ_i W_t over the group, W_t = Σ_{j≤t} (1 − 2π_j + Σ_v π_v²).</summary>
    /// <remarks>As verl: W_t is the squared norm of the score function of the logits up to t. Completions that have ended take no part.
    /// Biased by O(1/G). A group of one keeps G_t.</remarks>
    /// <param name="rewards">Token rewards, [N,T].</param>
    /// <param name="oldLogProbs">log π at sampling time, [N,T].</param>
    /// <param name="sumSquares">Σ_v π_v² of the distributions at sampling time, [N,T].</param>
    /// <param name="mask">[N,T].</param>
    /// <param name="groupSize">Completions per prompt, at least 1.</param>
    /// <returns>[N,T], 0 where nothing counts; without a gradient.</returns>
    public static Tensor OptimalToken(Tensor rewards, Tensor oldLogProbs, Tensor sumSquares, Tensor mask, int groupSize)
    {
        CheckSteps(rewards, mask, 1);
        Guard.SameShape(oldLogProbs, nameof(oldLogProbs), rewards, nameof(rewards));
        Guard.SameShape(sumSquares, nameof(sumSquares), rewards, nameof(rewards));
        Guard.AtLeast(groupSize, 1, nameof(groupSize));
        if (rewards.shape[0] % groupSize != 0)
            throw new ArgumentException(
                $"rewards holds {rewards.shape[0]} rows, expected a multiple of groupSize, {groupSize}",
                nameof(rewards)
            );
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var returns = Returns(rewards, mask);
        if (groupSize == 1)
            return returns.MoveToOuterDisposeScope();
        var score = Masked.Counted(1 - oldLogProbs.detach().exp() * 2 + sumSquares.detach(), mask);
        var weight = Masked.Counted(score.cumsum(1), mask);
        Tensor Sum(Tensor x) => x.view(-1, groupSize, x.shape[1]).sum(1L);
        var total = Sum(weight);
        var baseline = Sum(returns * weight) / total.masked_fill(total == 0, 1);
        return Masked.Counted(returns - baseline.repeat_interleave(groupSize, 0), mask).MoveToOuterDisposeScope();
    }
}
