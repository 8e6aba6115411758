using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Policy.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Policy;

/// <summary>What GRPO's normalisations do to what is learnt, exactly: by the standard deviation of a group, and by a completion's
/// length.</summary>
public sealed class GrpoLawsTests
{
    /// <summary>
    /// A parameter θ trades two prompts, p₁ = θ and p₂ = 1 − θ². The expected reward is greatest at ½. Advantages over the group's
    /// deviation climb Σ 2·arcsin √p instead as the group grows: there ∂p₁/√(p₁q₁) = −∂p₂/√(p₂q₂), which is 1 + θ = 4θ, θ = ⅓. At two
    /// completions a prompt every prompt weighs the same.
    /// </summary>
    [Theory]
    [InlineData(2)]
    [InlineData(8)]
    [InlineData(64)]
    [InlineData(256)]
    public void TradingPrompts_ComesToRestElsewhere_WithTheGroupsDeviation(int size)
    {
        using var scope = NewDisposeScope();
        // A group for every number of right answers, the right ones first.
        var rewards = tensor(Enumerable.Range(0, (size + 1) * size).Select(i => i % size < i / size ? 1.0 : 0).ToArray());
        double Rest(Tensor advantages)
        {
            double[][] groups = [.. Numbers.Values(advantages).Chunk(size)];
            double low = 0.01,
                high = 0.99;
            for (int step = 0; step < 60; step++)
            {
                double theta = (low + high) / 2;
                if (Weight(groups, theta) + Weight(groups, 1 - theta * theta) * (-2 * theta) > 0)
                    low = theta;
                else
                    high = theta;
            }
            return low;
        }
        Assert.Equal(0.5, Rest(Advantages.GroupRelative(rewards, size, GroupScaling.None)), 1e-9);
        Assert.Equal(0.5, Rest(Advantages.LeaveOneOut(rewards, size)), 1e-9);
        double scaled = Rest(Advantages.GroupRelative(rewards, size, epsilon: 0));
        if (size == 2)
            Assert.Equal(0.5, scaled, 1e-9);
        // The distance from ⅓ falls as 1/G: 0.107, 0.0103 and 0.0025.
        else
            Assert.InRange((scaled - 1.0 / 3) * size, 0.6, 0.9);
    }

    // E[gradient of J] = w·∇p over the number of right answers of a group: ∇log P is ∇p/p of a right answer and −∇p/(1 − p) of a wrong one.
    private static double Weight(double[][] groups, double p)
    {
        int size = groups.Length - 1;
        double sum = 0,
            logarithm = size * Math.Log(1 - p);
        for (int right = 0; right <= size; right++)
        {
            if (right > 0)
                logarithm += Math.Log((size - right + 1.0) / right * p / (1 - p));
            double score =
                (right > 0 ? right * groups[right][0] / p : 0) - (right < size ? (size - right) * groups[right][^1] / (1 - p) : 0);
            sum += Math.Exp(logarithm) * score / size;
        }
        return sum;
    }

    /// <summary>Of two wrong completions of 2 and 6 tokens, each token of the short one weighs three times as much where completions weigh
    /// the same, and as much where tokens do.</summary>
    [Fact]
    public void TokensOfALongWrongCompletion_WeighLess_OnlyUnderTheSequenceMean()
    {
        using var scope = NewDisposeScope();
        var (logProbs, mask) = (Numbers.Uniform(1, 1, 2, 6), Numbers.Mask(6, 2, 6));
        double Ratio(PolicyObjective objective)
        {
            var slope = Numbers.Gradient(
                x => objective.Loss(new PolicyBatch(x, logProbs, full([2], -1.0, dtype: ScalarType.Float64), mask)).Loss,
                logProbs
            );
            return (slope[0, 0] / slope[1, 5]).ToDouble();
        }
        Assert.Equal(3, Ratio(PolicyObjectives.Grpo()), 1e-12);
        foreach (
            var objective in new[]
            {
                PolicyObjectives.DrGrpo(8),
                PolicyObjectives.Dapo(),
                PolicyObjectives.Bnpo(),
                PolicyObjectives.Reinforce(),
            }
        )
            Assert.Equal(1, Ratio(objective), 1e-12);
    }

    /// <summary>
    /// A completion ends after each token with probability s = σ(z), at the latest after eight, and right and wrong ones have a z each; how
    /// long they are has nothing to do with being right. Then nothing should be learnt about z, and with sums of tokens nothing is. With
    /// the sequence mean E[(1/L) Σ_t ∂log π_t] = E[1/L] − s + (s at the last, which is no choice) is above 0: wrong completions grow, right
    /// ones shrink.
    /// </summary>
    [Theory]
    [InlineData(0.1)]
    [InlineData(0.3)]
    [InlineData(0.7)]
    public void WrongCompletions_Grow_OnlyUnderTheSequenceMean(double stop)
    {
        using var scope = NewDisposeScope();
        const int most = 8;
        double[] ends = [.. Enumerable.Range(1, most).Select(length => Math.Pow(1 - stop, length - 1) * (length < most ? stop : 1))];
        var mask = Numbers.Mask(most, [.. Enumerable.Range(1, most)]);
        var start = tensor(Math.Log(stop / (1 - stop)));
        // Every length once, weighed with its probability: the mean of infinitely many completions, over constant denominators.
        var weights = tensor(ends.Select(p => p * most).ToArray());
        var ended = eye(most, dtype: ScalarType.Float64);
        ended[most - 1, most - 1] = 0;
        var chosen = mask.clone();
        chosen[most - 1, most - 1] = 0;
        double Slope(PolicyObjective objective, double advantage) =>
            Numbers
                .Gradient(
                    z =>
                    {
                        var logProbs = ended * nn.functional.logsigmoid(z) + (chosen - ended) * nn.functional.logsigmoid(-z);
                        return objective
                            .Loss(
                                new PolicyBatch(logProbs, logProbs.detach(), full([most], advantage, dtype: ScalarType.Float64), mask)
                                {
                                    Weights = weights,
                                }
                            )
                            .Loss;
                    },
                    start
                )
                .ToDouble();
        foreach (double advantage in new[] { -1, 1 })
        {
            // A step goes against the slope: the probability to stop falls where the advantage is negative, and rises where it is positive.
            double closed = ends.Select((p, i) => p * (i + 1 < most ? 1.0 / (i + 1) - stop : -(most - 1.0) / most * stop)).Sum();
            Assert.True(closed > 0.01);
            Assert.Equal(-advantage * closed, Slope(PolicyObjectives.Grpo(), advantage), 1e-14);
            foreach (var objective in new[] { PolicyObjectives.DrGrpo(most), PolicyObjectives.Dapo() })
                Assert.Equal(0, Slope(objective, advantage), 1e-14);
        }
    }

    /// <summary>All completions of a group agree with probability p^G + (1 − p)^G, and then nothing is learnt; that is the warm-up's reason
    /// for being: at p = 0.01 and G = 8 in 92 % of the groups.</summary>
    [Fact]
    public void GroupsThatAgree_HaveNoSignal_AndMostDoWhereSuccessIsRare()
    {
        using var scope = NewDisposeScope();
        foreach (double p in new[] { 0.01, 0.1, 0.5 })
        {
            double silent = 0;
            for (int outcome = 0; outcome < 256; outcome++)
            {
                double[] rewards = [.. Enumerable.Range(0, 8).Select(i => (double)(outcome >> i & 1))];
                if (Advantages.GroupRelative(tensor(rewards), 8).abs().max().ToDouble() == 0)
                    silent += rewards.Aggregate(1.0, (product, reward) => product * (reward == 1 ? p : 1 - p));
            }
            Assert.Equal(Math.Pow(p, 8) + Math.Pow(1 - p, 8), silent, 1e-14);
        }
        Assert.Equal(0.9227, Math.Pow(0.99, 8), 1e-4);
    }
}
