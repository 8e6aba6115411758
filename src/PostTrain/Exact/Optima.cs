using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Exact;

/// <summary>Optimal and stationary policies of training objectives in closed form.</summary>
public static class Optima
{
    /// <summary>Computes π*(y) = π_ref(y)·e^{r(y)/β}/Z, which maximises E[r] − β·KL(π‖π_ref); the maximum is β·log Z.</summary>
    /// <remarks>Also the minimiser of DPO on Bradley-Terry preferences with r (Rafailov et al. 2023, arXiv:2305.18290, eq. 4). Computed
    /// with log-sum-exp, so rewards of ±1e4 over β are safe.</remarks>
    /// <param name="tree">The tree.</param>
    /// <param name="referenceLogits">[Nodes,V] of π_ref.</param>
    /// <param name="rewards">r, [V^D].</param>
    /// <param name="beta">β, above 0.</param>
    /// <exception cref="ArgumentException">A shape does not fit the tree.</exception>
    public static RlhfOptimum Rlhf(TokenTree tree, Tensor referenceLogits, Tensor rewards, double beta)
    {
        ExactPolicy.CheckRewards(tree, rewards);
        Guard.Positive(beta, nameof(beta));
        using var scope = NewDisposeScope();
        var weights = ExactPolicy.LogProbs(tree, referenceLogits) + rewards / beta;
        // The weight of a token is the sum over all sequences through it.
        var levels = new List<Tensor>();
        var below = weights;
        foreach (var (_, count) in tree.Levels().Reverse())
        {
            levels.Insert(0, below.reshape(count, tree.Vocabulary));
            below = levels[0].logsumexp(-1);
        }
        var partition = below.squeeze(0);
        return new RlhfOptimum(
            cat(levels, 0).MoveToOuterDisposeScope(),
            (weights - partition).MoveToOuterDisposeScope(),
            (partition * beta).MoveToOuterDisposeScope()
        );
    }

    /// <summary>Computes π*(y) = π_ref(y)·e^{p(y ≻ μ)/τ}/Z, the minimiser of IPO: <see cref="Rlhf"/> with the probability of winning as the
    /// reward.</summary>
    /// <remarks>
    /// Azar et al. 2023, arXiv:2310.12036, eq. 9 with Ψ the identity; p(y ≻ μ) = Σ_y′ μ(y′)·p(y ≻ y′). This is IPO on summed
    /// log-probabilities with both completions drawn from μ. Since p lies between 0 and 1, log-ratios differ by at most 1/τ, even if
    /// preferences are deterministic and DPO has no minimiser.
    /// </remarks>
    /// <param name="tree">The tree.</param>
    /// <param name="referenceLogits">[Nodes,V] of π_ref.</param>
    /// <param name="preferences">p(y ≻ y′), [V^D,V^D], between 0 and 1, with p(y ≻ y′) + p(y′ ≻ y) = 1, so ½ on the diagonal.</param>
    /// <param name="comparisonProbs">μ, [V^D].</param>
    /// <param name="tau">τ, above 0; the β of <see cref="Preference.Losses.DpoObjective"/>.</param>
    /// <exception cref="ArgumentException">A shape does not fit the tree, or the preferences are none.</exception>
    public static RlhfOptimum Ipo(TokenTree tree, Tensor referenceLogits, Tensor preferences, Tensor comparisonProbs, double tau)
    {
        Guard.Floating(preferences, nameof(preferences));
        Guard.Floating(comparisonProbs, nameof(comparisonProbs));
        Guard.Positive(tau, nameof(tau));
        if (!preferences.shape.AsSpan().SequenceEqual([tree.Sequences, tree.Sequences]))
            throw new ArgumentException(
                $"preferences has shape {Guard.Shape(preferences)}, expected [{tree.Sequences}, {tree.Sequences}], pairs of the "
                    + "tree's sequences",
                nameof(preferences)
            );
        if (!comparisonProbs.shape.AsSpan().SequenceEqual([tree.Sequences]))
            throw new ArgumentException(
                $"comparisonProbs has shape {Guard.Shape(comparisonProbs)}, expected [{tree.Sequences}], one per sequence of the tree",
                nameof(comparisonProbs)
            );
        using var scope = NewDisposeScope();
        var numbers = preferences.detach();
        if (!((numbers + numbers.t() - 1).abs() < 1e-6).logical_and(numbers >= 0).all().ToBoolean())
            throw new ArgumentException(
                "preferences holds p(y ≻ y′) and p(y′ ≻ y) that are below 0 or do not sum to 1",
                nameof(preferences)
            );
        var found = Rlhf(tree, referenceLogits, preferences.mm(comparisonProbs.to_type(preferences.dtype).unsqueeze(1)).squeeze(1), tau);
        return new RlhfOptimum(
            found.Logits.MoveToOuterDisposeScope(),
            found.LogProbs.MoveToOuterDisposeScope(),
            found.Value.MoveToOuterDisposeScope()
        );
    }

    /// <summary>Computes the stationary policy of GRPO with k3 as a loss term on a bandit: π_a = β·ref_a/(λ − r_a), with λ such that Σπ =
    /// 1.</summary>
    /// <remarks>
    /// On-policy, the expected gradient of k3 is that of KL(π_ref‖π), the reverse direction (<see cref="KlDivergence"/>). The objective is
    /// therefore E[r] − β·KL(π_ref‖π), not that of <see cref="Rlhf"/>; λ = β + E_π[r]. Advantages are not scaled by their standard
    /// deviation. λ is found by bisection to the last digit. Not differentiable.
    /// </remarks>
    /// <param name="referenceProbs">ref, [K], float64: at least 0, summing to 1; an action that it excludes stays excluded.</param>
    /// <param name="rewards">r, [K], float64, finite.</param>
    /// <param name="beta">β, above 0.</param>
    /// <returns>π, [K], float64.</returns>
    /// <exception cref="ArgumentException">Shapes or types do not fit, or the probabilities are invalid.</exception>
    public static Tensor GrpoWithK3(Tensor referenceProbs, Tensor rewards, double beta)
    {
        Guard.Rank(referenceProbs, nameof(referenceProbs), 1, "[K]");
        Guard.SameShape(rewards, nameof(rewards), referenceProbs, nameof(referenceProbs));
        Guard.Positive(beta, nameof(beta));
        var (reference, reward) = (Numbers(referenceProbs, nameof(referenceProbs)), Numbers(rewards, nameof(rewards)));
        if (reference.Any(p => !(p >= 0)) || !(Math.Abs(reference.Sum() - 1) < 1e-9))
            throw new ArgumentException(
                $"referenceProbs sums to {reference.Sum():R}, expected numbers of at least 0 that sum to 1",
                nameof(referenceProbs)
            );
        if (!reward.All(double.IsFinite))
            throw new ArgumentException("rewards holds a number that is not finite", nameof(rewards));

        double best = reference.Zip(reward).Where(pair => pair.First > 0).Max(pair => pair.Second);
        double[] At(double margin) => [.. reference.Zip(reward, (p, r) => p > 0 ? beta * p / (margin + (best - r)) : 0)];
        // With μ = λ − max r the sum decreases in μ: at most 1 at β, unbounded towards 0.
        double low = 0,
            high = beta;
        for (double middle; (middle = low + (high - low) / 2) > low && middle < high; )
            if (At(middle).Sum() > 1)
                low = middle;
            else
                high = middle;
        return tensor(At(high));
    }

    private static double[] Numbers(Tensor values, string name) =>
        values.dtype == ScalarType.Float64
            ? [.. values.detach().cpu().contiguous().data<double>()]
            : throw new ArgumentException($"{name} has type {values.dtype}, expected Float64", name);
}
