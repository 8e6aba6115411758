using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Exact;

/// <summary>Bias and variance of policy-gradient estimators, computed by enumerating every group that a policy on a tree can
/// sample.</summary>
/// <remarks>
/// The estimate of a group y_1..y_G is ĝ = (1/G) Σ_i A_i ∇log π(y_i). With the KL term in the loss, − (β/G) Σ_i Σ_t ∇k_t(y_i) is added;
/// with the KL term in the reward, r_i becomes r_i − β Σ_t k_t(y_i). The true gradient is g = ∇(J − β·KL(π‖π_ref)). On-policy, all
/// completions have equal weight.
/// </remarks>
public static class EstimatorReport
{
    /// <summary>Maximum number of groups that are enumerated.</summary>
    public const int Limit = 1 << 16;

    /// <summary>Computes the quality of every advantage estimator with every KL estimator (k1, k2, k3) in both places.</summary>
    /// <param name="tree">The sequences; V^D to the power of the group size is at most <see cref="Limit"/>.</param>
    /// <param name="logits">The policy, [Nodes,V], float64.</param>
    /// <param name="referenceLogits">The reference, [Nodes,V].</param>
    /// <param name="rewards">[V^D].</param>
    /// <param name="beta">β, at least 0.</param>
    /// <param name="groupSize">G, at least 1.</param>
    /// <param name="advantages">The advantage estimators to compare.</param>
    /// <exception cref="ArgumentOutOfRangeException">β or G is out of range, or there are too many groups.</exception>
    public static IReadOnlyList<EstimatorQuality> Of(
        TokenTree tree,
        Tensor logits,
        Tensor referenceLogits,
        Tensor rewards,
        double beta,
        int groupSize,
        IReadOnlyList<AdvantageEstimator> advantages
    )
    {
        Guard.NotNegative(beta, nameof(beta));
        Guard.AtLeast(groupSize, 1, nameof(groupSize));
        if (Math.Pow(tree.Sequences, groupSize) > Limit)
            throw new ArgumentOutOfRangeException(
                nameof(groupSize),
                groupSize,
                $"{tree.Sequences} sequences give more than {Limit} groups of that size"
            );

        using var scope = NewDisposeScope();
        var policy = logits.detach().clone().requires_grad_();
        var tokens = ExactPolicy.TokenLogProbs(tree, policy);
        var reference = ExactPolicy.TokenLogProbs(tree, referenceLogits.detach());
        var truth = Gradient(ExactPolicy.Objective(tree, policy, rewards) - ExactPolicy.Kl(tree, policy, referenceLogits) * beta, policy);
        var scores = Gradients(tokens.sum(1L), policy);
        var groups = Groups(tree.Sequences, groupSize);
        var weights = tokens.detach().sum(1L).index_select(0, groups.reshape(-1)).view(-1, groupSize).sum(1L).exp();

        var results = new List<EstimatorQuality>();
        foreach (var kl in new[] { KlEstimator.K1, KlEstimator.K2, KlEstimator.K3 })
        {
            var estimates = KlDivergence.Estimate(tokens, reference, kl).sum(1L);
            var charges = estimates.detach() * beta;
            var pulls = Gradients(estimates, policy) * beta;
            foreach (var advantage in advantages)
            {
                results.Add(Judge(advantage, kl, KlPlacement.Reward, rewards - charges, scores.new_zeros(scores.shape)));
                results.Add(Judge(advantage, kl, KlPlacement.Loss, rewards, pulls));
            }
        }
        return results;

        EstimatorQuality Judge(AdvantageEstimator advantage, KlEstimator kl, KlPlacement placement, Tensor judged, Tensor pulls)
        {
            using var inner = NewDisposeScope();
            var flat = groups.reshape(-1);
            var weighed =
                advantage.Compute(judged.index_select(0, flat)).unsqueeze(1) * scores.index_select(0, flat) - pulls.index_select(0, flat);
            var estimates = weighed.view(-1, groupSize, scores.shape[1]).mean(new long[] { 1 });
            var mean = (estimates * weights.unsqueeze(1)).sum(0L);
            double bias = ((mean - truth).norm() / truth.norm()).ToDouble();
            double variance = ((estimates - mean).square().sum(1L) * weights).sum().ToDouble();
            return new EstimatorQuality(advantage.Name, kl, placement, bias, variance);
        }
    }

    private static Tensor Gradient(Tensor value, Tensor policy) => Numerics.Gradients.Of(value, policy, retainGraph: true).reshape(-1);

    // One row per sequence.
    private static Tensor Gradients(Tensor values, Tensor policy) =>
        stack(Enumerable.Range(0, (int)values.shape[0]).Select(i => Gradient(values[i], policy)).ToArray());

    // All groups, [K^G,G]: the digits of the numbers 0 to K^G − 1 in base K.
    private static Tensor Groups(int sequences, int groupSize)
    {
        int count = (int)Math.Pow(sequences, groupSize);
        var places = new long[count, groupSize];
        for (int group = 0; group < count; group++)
        for (int place = 0, rest = group; place < groupSize; place++)
            (rest, places[group, place]) = (rest / sequences, rest % sequences);
        return tensor(places);
    }
}
