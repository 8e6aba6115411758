using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Policy;

/// <summary>Baselines for one reward a completion, by hand and by enumeration of all groups.</summary>
public sealed class OutcomeAdvantagesTests
{
    [Fact]
    public void HandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        var rewards = tensor(new double[] { 1, 3, 8, 0, 0, 0 });
        TensorAssert.Close([-4.5, -1.5, 6, 0, 0, 0], Advantages.LeaveOneOut(rewards, 3), 1e-15);
        // The second has no reward: 1 and 8 are left.
        TensorAssert.Close([-7, 0, 7], Advantages.LeaveOneOut(tensor(new[] { 1, double.NaN, 8 }), 3, tensor(new[] { 1L, 0, 1 })), 1e-15);
        TensorAssert.Close(
            [-0.7071067811865475, 0, 0.7071067811865475],
            Advantages.GroupRelative(tensor(new[] { 1, double.NaN, 8 }), 3, epsilon: 0, scored: tensor(new[] { 1L, 0, 1 })),
            1e-14
        );
        TensorAssert.Zero(Advantages.GroupRelative(tensor(new[] { 1, double.NaN, 8 }), 3, scored: zeros(3)));
        TensorAssert.Zero(Advantages.LeaveOneOut(tensor(new[] { 5.0, 2 }), 1));
        TensorAssert.Close([0, 1, 8], Advantages.Reinforce(tensor(new double[] { 1, 3, 9 }), tensor(new double[] { 1, 2, 1 })), 0);
        TensorAssert.Close([-1, 1, 3, -5], Advantages.SelfCritical(tensor(new double[] { 1, 3, 8, 0 }), tensor(new double[] { 2, 5 })), 0);
        // To go: 3, 2, less the greedy 1.
        TensorAssert.Close(
            [2, 1, 0],
            Advantages.ReMax(
                tensor(
                    new double[,]
                    {
                        { 1, 2, 7 },
                    }
                ),
                tensor(new[] { 1.0 }),
                tensor(
                    new[,]
                    {
                        { 1, 1, 0 },
                    }
                )
            ),
            1e-15
        );
        // Lengths 1, 1, 2: (1 + 3 + 16)/4 = 5.
        TensorAssert.Close([-4, -2, 3], Advantages.OptimalReward(rewards.narrow(0, 0, 3), tensor(new long[] { 1, 1, 2 }), 3), 1e-15);
        TensorAssert.Close([1, 3, 8], Advantages.OptimalReward(rewards.narrow(0, 0, 3), zeros(3), 3), 0);
        // Half of the completions are in a group that says something: α = 2.
        TensorAssert.Close([-6, -2, 8, 0, 0, 0], Advantages.GroupPolicyGradient(rewards, 3), 1e-14);
        TensorAssert.Close(
            [-1, 1, 0, 0],
            Advantages.GroupPolicyGradient(tensor(new double[] { 0, 1, 0, 0 }), 2, normalizer: 2, countRewards: true),
            1e-15
        );
        TensorAssert.Close([0, 0, 5, 0, 0, 0], Advantages.PassAtK(rewards, 3), 0);
        // Deviation √13 of 1, 3, 8.
        TensorAssert.Close([0, 0, 5 / Math.Sqrt(13)], Advantages.PassAtK(rewards.narrow(0, 0, 3), 3, scale: true, epsilon: 0), 1e-15);
        TensorAssert.Zero(Advantages.PassAtK(rewards, 1));
        TensorAssert.Close([-1, 1], Advantages.Standardized(tensor(new double[] { 0, 4 }) / Math.Sqrt(2), 0) * Math.Sqrt(2), 1e-15);
    }

    [Fact]
    public void Components_AreNormalisedApart()
    {
        using var scope = NewDisposeScope();
        // ±1/√2 of each column whatever its scale: (1 + 2, −1 − 2)/√2 in both groups, standardised to ±√3/2 over four.
        var rewards = tensor(
            new double[,]
            {
                { 1, 2000 },
                { 0, 0 },
                { 1, 0.3 },
                { 0, 0.1 },
            }
        );
        double expected = Math.Sqrt(3) / 2;
        TensorAssert.Close([expected, -expected, expected, -expected], Advantages.PerComponent(rewards, [1, 2], 2, 0), 1e-14);
        Assert.Equal("weights", Assert.Throws<ArgumentException>(() => Advantages.PerComponent(rewards, [1], 2)).ParamName);
    }

    [Fact]
    public void TokenLevelEstimators()
    {
        using var scope = NewDisposeScope();
        var mask = tensor(
            new[,]
            {
                { 1, 1 },
                { 1, 0 },
            }
        );
        // Returns 3, 2 | 7: mean 4, unbiased variance 7.
        TensorAssert.Close(
            [-1 / Math.Sqrt(7), -2 / Math.Sqrt(7), 3 / Math.Sqrt(7), 0],
            Advantages.ReinforcePlusPlus(
                tensor(
                    new double[,]
                    {
                        { 1, 2 },
                        { 7, 9 },
                    }
                ),
                mask
            ),
            1e-8
        );
        // Centred −2 twice and 2 once: mean −2/3, squares 2·16/9 + 64/9 = 32/3, variance 16/3.
        double deviation = Math.Sqrt(16.0 / 3);
        TensorAssert.Close(
            [-4 / 3.0 / deviation, -4 / 3.0 / deviation, 8 / 3.0 / deviation, 0],
            Advantages.ReinforcePlusPlusBaseline(tensor(new double[] { 1, 5 }), 2, mask),
            1e-8
        );
        // π = ½ of two tokens: each step adds 1 − 1 + ½, so W is ½, 1 in the first row and ½ in the second.
        // Returns 3, 2 | 7: baselines (3 + 7)/2 = 5, and 2 where only the first is left.
        var half = full([2, 2], Math.Log(0.5), dtype: ScalarType.Float64);
        TensorAssert.Close(
            [-2, 0, 2, 0],
            Advantages.OptimalToken(
                tensor(
                    new double[,]
                    {
                        { 1, 2 },
                        { 7, 9 },
                    }
                ),
                half,
                full([2, 2], 0.5, dtype: ScalarType.Float64),
                mask,
                2
            ),
            1e-14
        );
        TensorAssert.Close(
            [3, 2, 7, 0],
            Advantages.OptimalToken(
                tensor(
                    new double[,]
                    {
                        { 1, 2 },
                        { 7, 9 },
                    }
                ),
                half,
                half,
                mask,
                1
            ),
            0
        );
    }

    /// <summary>GRPO's difficulty weights w_G(p): E[gradient] = w_G(p)∇p for a reward of 0 or 1, by enumeration of the number of right
    /// answers.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(64)]
    public void ExpectedGradient_HasItsClosedForm(int size)
    {
        using var scope = NewDisposeScope();
        foreach (double p in new[] { 0.01, 0.05, 0.1, 0.3, 0.5, 0.9 })
        {
            var (scaled, centred, others) = (0.0, 0.0, 0.0);
            double closed = 0,
                probability = Math.Pow(1 - p, size);
            for (int right = 0; right <= size; right++)
            {
                if (right > 0)
                    probability *= (size - right + 1.0) / right * p / (1 - p);
                var rewards = tensor(Enumerable.Range(0, size).Select(i => i < right ? 1.0 : 0).ToArray());
                // ∇log P of a right answer is ∇p/p, of a wrong one −∇p/(1 − p).
                var score = rewards / p - (1 - rewards) / (1 - p);
                double Expected(Tensor advantages) => probability * (advantages * score).mean().ToDouble();
                scaled += Expected(Advantages.GroupRelative(rewards, size, epsilon: 0));
                centred += Expected(Advantages.GroupRelative(rewards, size, GroupScaling.None));
                others += Expected(Advantages.LeaveOneOut(rewards, size));
                closed += probability * Math.Sqrt((double)right * (size - right));
            }
            closed *= Math.Sqrt((size - 1.0) / Math.Pow(size, 3)) / (p * (1 - p));
            Assert.Equal(closed, scaled, 1e-12 * closed);
            Assert.Equal((size - 1.0) / size, centred, 1e-12);
            Assert.Equal(1, others, 1e-12);
            if (size == 2)
                Assert.Equal(1 / Math.Sqrt(2), scaled, 1e-12);
        }
        // At p = 0.01, 0.05, 0.1, 0.3 and 0.5, to three decimals: hard prompts weigh more, at most 1/√(p(1 − p)), and in pairs no more than
        // others.
        var table = new Dictionary<int, double[]>
        {
            [2] = [0.707, 0.707, 0.707, 0.707, 0.707],
            [4] = [1.496, 1.481, 1.464, 1.416, 1.400],
            [8] = [2.440, 2.313, 2.177, 1.836, 1.736],
            [16] = [3.614, 3.163, 2.757, 2.026, 1.873],
            [64] = [6.683, 4.302, 3.229, 2.145, 1.969],
        };
        double[] rates = [0.01, 0.05, 0.1, 0.3, 0.5];
        Assert.Equal(table[size], rates.Select(p => Math.Round(Weight(size, p), 3)));
        Assert.All(rates, p => Assert.True(Weight(size, p) < 1 / Math.Sqrt(p * (1 - p))));
    }

    private static double Weight(int size, double p)
    {
        double sum = 0,
            probability = Math.Pow(1 - p, size);
        for (int right = 0; right <= size; right++)
        {
            if (right > 0)
                probability *= (size - right + 1.0) / right * p / (1 - p);
            using var scope = NewDisposeScope();
            var rewards = tensor(Enumerable.Range(0, size).Select(i => i < right ? 1.0 : 0).ToArray());
            sum +=
                probability
                * (Advantages.GroupRelative(rewards, size, epsilon: 0) * (rewards / p - (1 - rewards) / (1 - p))).mean().ToDouble();
        }
        return sum;
    }

    /// <summary>Three actions with rewards: over all samples (and groups of two) the mean gradient of REINFORCE, ReMax and RLOO is
    /// ∇J.</summary>
    [Fact]
    public void UnbiasedEstimators_GiveTheExactGradient()
    {
        using var scope = NewDisposeScope();
        double[] logits = [0.3, -0.8, 0.5],
            rewards = [1, 4, -2];
        double[] policy = [.. logits.Select(Math.Exp)];
        double total = policy.Sum();
        policy = [.. policy.Select(weight => weight / total)];
        double value = policy.Zip(rewards, (p, r) => p * r).Sum();
        double[] exact = [.. policy.Zip(rewards, (p, r) => p * (r - value))];
        int greedy = 2;
        var (reinforce, remax, rloo, mean) = (new double[3], new double[3], new double[3], new double[3]);
        for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++)
        {
            var sampled = tensor(new[] { rewards[a], rewards[b] });
            double[] First(Tensor advantages) => Numbers.Values(advantages);
            var estimates = new[]
            {
                (reinforce, First(Advantages.Reinforce(sampled))),
                (remax, First(Advantages.SelfCritical(sampled, tensor(new[] { rewards[greedy] })))),
                (rloo, First(Advantages.LeaveOneOut(sampled, 2))),
                (mean, First(Advantages.GroupRelative(sampled, 2, GroupScaling.None))),
            };
            foreach (var (sum, advantages) in estimates)
                for (int k = 0; k < 3; k++)
                    sum[k] +=
                        policy[a]
                        * policy[b]
                        * 0.5
                        * (advantages[0] * ((a == k ? 1 : 0) - policy[k]) + advantages[1] * ((b == k ? 1 : 0) - policy[k]));
        }
        for (int k = 0; k < 3; k++)
        {
            Assert.Equal(exact[k], reinforce[k], 1e-14);
            Assert.Equal(exact[k], remax[k], 1e-14);
            Assert.Equal(exact[k], rloo[k], 1e-14);
            Assert.Equal(exact[k] / 2, mean[k], 1e-14);
        }
    }

    [Fact]
    public void OnlyTheResultStaysAlive_AndErrorsNameWhatIsWrong()
    {
        using var rewards = Numbers.Uniform(1, 1, 6).requires_grad_(true);
        using var tokens = Numbers.Uniform(2, 1, 6, 2);
        using var mask = ones(6, 2);
        Ownership.Check(
            () =>
                [
                    Advantages.Reinforce(rewards),
                    Advantages.LeaveOneOut(rewards, 3),
                    Advantages.Standardized(rewards),
                    Advantages.OptimalReward(rewards, rewards, 3),
                    Advantages.GroupPolicyGradient(rewards, 3),
                    Advantages.PassAtK(rewards, 3),
                    Advantages.SelfCritical(rewards, rewards),
                    Advantages.PerComponent(tokens, [1, 1], 3),
                ],
            rewards,
            tokens
        );
        Ownership.Check(
            () =>
                [
                    Advantages.ReMax(tokens, rewards, mask),
                    Advantages.ReinforcePlusPlus(tokens, mask),
                    Advantages.ReinforcePlusPlusBaseline(rewards, 3, mask),
                    Advantages.OptimalToken(tokens, tokens, tokens, mask, 3),
                ],
            rewards,
            tokens,
            mask
        );
        using var scope = NewDisposeScope();
        Assert.False(Advantages.LeaveOneOut(rewards, 3).requires_grad);
        Assert.Equal("rewards", Assert.Throws<ArgumentException>(() => Advantages.LeaveOneOut(rewards, 4)).ParamName);
        Assert.Equal("scored", Assert.Throws<ArgumentException>(() => Advantages.LeaveOneOut(rewards, 3, ones(2))).ParamName);
        Assert.Equal("greedyRewards", Assert.Throws<ArgumentException>(() => Advantages.SelfCritical(rewards, ones(4))).ParamName);
        Assert.Equal("lengths", Assert.Throws<ArgumentException>(() => Advantages.OptimalReward(rewards, ones(2), 3)).ParamName);
        Assert.Equal(
            "mask",
            Assert.Throws<ArgumentException>(() => Advantages.ReinforcePlusPlusBaseline(rewards, 3, ones(2, 2))).ParamName
        );
        Assert.Equal(
            "normalizer",
            Assert.Throws<ArgumentOutOfRangeException>(() => Advantages.GroupPolicyGradient(rewards, 3, 0)).ParamName
        );
    }
}
