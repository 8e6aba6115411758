using PostTrain.Exact;
using PostTrain.Policy.Losses.Surrogates;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Exact;

/// <summary>How fast a step of policy optimisation costs entropy: dH/dη is minus a covariance (Cui et al. 2025, arXiv:2505.22617, theorem
/// 1).</summary>
public sealed class EntropyLawTests
{
    // The change of the entropy per unit of step size, by its gradient and by a step to either side.
    private static (double Exact, double Stepped) Rate(TokenTree tree, Tensor logits, Tensor direction)
    {
        const double step = 1e-5;
        double After(double size) => ExactPolicy.Entropy(tree, logits + direction * size).ToDouble();
        return (
            (Numbers.Gradient(z => ExactPolicy.Entropy(tree, z), logits) * direction).sum().ToDouble(),
            (After(step) - After(-step)) / (2 * step)
        );
    }

    private static double Covariance(Tensor probs, Tensor first, Tensor second) =>
        ((probs * first * second).sum() - (probs * first).sum() * (probs * second).sum()).ToDouble();

    [Theory]
    [InlineData(2, 1)]
    [InlineData(6, 2)]
    [InlineData(40, 3)]
    public void PolicyGradientOfABandit_CostsTheCovarianceOfLogProbAndProbTimesAdvantage(int actions, int seed)
    {
        using var scope = NewDisposeScope();
        var tree = new TokenTree(actions, 1);
        var (logits, rewards) = (Numbers.Uniform(seed, 1, 1, actions), Numbers.Uniform(seed + 100, 1, actions));
        var logProbs = ExactPolicy.LogProbs(tree, logits);
        var advantages = ExactPolicy.Values(tree, logits, rewards).Advantages[0];
        var (exact, stepped) = Rate(tree, logits, ExactPolicy.Gradient(tree, logits, rewards));
        Assert.Equal(-Covariance(logProbs.exp(), logProbs, logProbs.exp() * advantages), exact, 1e-13);
        Assert.Equal(exact, stepped, 1e-9);
    }

    /// <summary>The natural gradient of a softmax policy is the advantages themselves, and along a sequence they add up to r − J.</summary>
    [Theory]
    [InlineData(6, 1, 4)]
    [InlineData(2, 5, 5)]
    [InlineData(3, 3, 6)]
    public void NaturalPolicyGradient_CostsTheCovarianceOfLogProbAndReward(int vocabulary, int depth, int seed)
    {
        using var scope = NewDisposeScope();
        var tree = new TokenTree(vocabulary, depth);
        var (logits, rewards) = (Numbers.Uniform(seed, 1, tree.Nodes, vocabulary), Numbers.Uniform(seed + 100, 1, tree.Sequences));
        var logProbs = ExactPolicy.LogProbs(tree, logits);
        var (exact, stepped) = Rate(tree, logits, ExactPolicy.Values(tree, logits, rewards).Advantages);
        Assert.Equal(-Covariance(logProbs.exp(), logProbs, rewards), exact, 1e-13);
        Assert.Equal(exact, stepped, 1e-9);
    }

    [Fact]
    public void RewardingTheLikely_CostsEntropy_AndRewardingTheUnlikelyGains()
    {
        using var scope = NewDisposeScope();
        var tree = new TokenTree(3, 2);
        var logits = Numbers.Uniform(9, 1, tree.Nodes, 3);
        var logProbs = ExactPolicy.LogProbs(tree, logits);
        Assert.True(Rate(tree, logits, ExactPolicy.Values(tree, logits, logProbs).Advantages).Exact < -0.01);
        Assert.True(Rate(tree, logits, ExactPolicy.Values(tree, logits, -logProbs).Advantages).Exact > 0.01);
    }
}
