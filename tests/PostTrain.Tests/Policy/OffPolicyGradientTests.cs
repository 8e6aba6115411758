using PostTrain.Data;
using PostTrain.Exact;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Losses;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Policy;

/// <summary>Completions of a stale policy: with a correction, the expected gradient is that of the present one.</summary>
[Collection("Sequential")]
public sealed class OffPolicyGradientTests
{
    private static readonly ImportanceCorrection Exactly = new(double.PositiveInfinity, WholeSequences: true);

    /// <summary>Over all sequences of a tree, weighted by the stale policy's probabilities.</summary>
    [Fact]
    public void ByEnumeration_WeightsOfWholeSequencesAreExact_AndBoundsAreNot()
    {
        using var scope = NewDisposeScope();
        var (tree, now, old, stale, rewards) = Tree();
        var exact = -ExactPolicy.Gradient(tree, now, rewards);
        // At the start of a step π = π_old; later the surrogate's own ratio accounts for the step.
        TensorAssert.Close(exact, Expected(PolicyObjectives.Reinforce(), Exactly, now, now), 1e-12, "REINFORCE");
        var ratio = PolicyObjectives.Reinforce() with { Surrogate = PolicySurrogate.Ratio, Ratio = RatioLevel.SequenceSum };
        TensorAssert.Close(exact * tree.Depth, Expected(ratio, Exactly, now, old), 1e-12, "ratio of sequences");
        double Distance(ImportanceCorrection? correction) =>
            (Expected(PolicyObjectives.Reinforce(), correction, now, now) - exact).norm().ToDouble() / exact.norm().ToDouble();
        Assert.InRange(Distance(null), 0.2, 10);
        Assert.InRange(Distance(ImportanceCorrection.Tis(1.5)), 0.01, Distance(null));
        Assert.InRange(Distance(ImportanceCorrection.Reject(RolloutRejection.K3(RejectionLevel.SequenceMax, 0.05))), 0.01, 10);

        Tensor Expected(PolicyObjective objective, ImportanceCorrection? correction, Tensor logits, Tensor oldLogits)
        {
            var (drawn, before) = (ExactPolicy.TokenLogProbs(tree, stale), ExactPolicy.TokenLogProbs(tree, oldLogits).detach());
            var mask = ones_like(drawn);
            var corrected = correction?.Apply(before, drawn, mask);
            var chances = ExactPolicy.LogProbs(tree, stale).exp();
            return Numbers.Gradient(
                x =>
                {
                    var batch = new PolicyBatch(ExactPolicy.TokenLogProbs(tree, x), before, rewards, corrected?.Mask ?? mask)
                    {
                        ImportanceWeights = corrected?.Weights,
                    };
                    return (objective.Loss(batch).TokenLosses.sum(1L) * chances).sum();
                },
                logits
            );
        }
    }

    /// <summary>20,000 sequences of the stale policy: the corrected mean is within its 99.99 % interval of the exact gradient in every
    /// coordinate, the uncorrected one is not.</summary>
    [Fact]
    public void BySampling_TheCorrectedMeanIsWithinItsInterval()
    {
        using var scope = NewDisposeScope();
        const int draws = 20_000;
        var (tree, now, _, stale, rewards) = Tree();
        var cumulative = ExactPolicy.LogProbs(tree, stale).exp().cumsum(0);
        var uniforms = tensor(Enumerable.Range(0, draws).Select(i => CounterRandom.OpenUniform(3, (ulong)i, 0)).ToArray());
        var chosen = searchsorted(cumulative, uniforms * cumulative[-1]);
        var exact = Numbers.Values(-ExactPolicy.Gradient(tree, now, rewards));
        Assert.True(Within(Exactly), "the corrected mean is outside");
        Assert.False(Within(null), "the uncorrected mean is inside");

        bool Within(ImportanceCorrection? correction)
        {
            // The gradient of a sequence, by its index, and how often it was drawn.
            var (before, drawn) = (ExactPolicy.TokenLogProbs(tree, now).detach(), ExactPolicy.TokenLogProbs(tree, stale));
            var weights = correction?.Apply(before, drawn, ones_like(drawn)).Weights;
            var each = Enumerable
                .Range(0, tree.Sequences)
                .Select(i =>
                    Numbers.Values(
                        Numbers.Gradient(
                            x =>
                                PolicyObjectives
                                    .Reinforce()
                                    .Loss(
                                        new PolicyBatch(ExactPolicy.TokenLogProbs(tree, x), before, rewards, ones_like(before))
                                        {
                                            ImportanceWeights = weights,
                                        }
                                    )
                                    .TokenLosses[i]
                                    .sum(),
                            now
                        )
                    )
                )
                .ToArray();
            var counts = chosen.data<long>().ToArray().CountBy(i => i).ToDictionary(item => (int)item.Key, item => item.Value);
            return Enumerable
                .Range(0, exact.Length)
                .All(at =>
                {
                    double mean = counts.Sum(item => item.Value * each[item.Key][at]) / draws,
                        variance = counts.Sum(item => item.Value * Math.Pow(each[item.Key][at] - mean, 2)) / (draws - 1);
                    return Math.Abs(mean - exact[at]) <= 3.89 * Math.Sqrt(variance / draws) + 1e-12;
                });
        }
    }

    /// <summary>One step of the trainer on 4,096 completions of another model.</summary>
    [Fact]
    public async Task ATrainersStep_OnAStaleSource_HasTheExactGradient_WithinItsInterval()
    {
        double[] now = [.. Enumerable.Range(0, Toy.Tokenizer.VocabularySize).Select(i => Math.Sin(i))],
            before = [.. Enumerable.Range(0, Toy.Tokenizer.VocabularySize).Select(i => Math.Cos(2 * i))];
        double[] policy = Softmax(now),
            stale = Softmax(before),
            rewards = [.. Enumerable.Range(0, now.Length).Select(i => i % 3 / 2.0)];
        double value = policy.Zip(rewards, (p, r) => p * r).Sum();
        // −π(r − J); the gradient of a draw i of the stale policy is −w_i r_i (e_i − π).
        double[] exact = [.. policy.Select((p, i) => -p * (rewards[i] - value))];
        using var model = new BigramLm(now);
        using var other = new BigramLm(before);
        var options = new GrpoOptions
        {
            Steps = 1,
            BatchSize = 1,
            GroupSize = 4096,
            LearningRate = 1e-9,
            MaxGradNorm = double.PositiveInfinity,
            WeightDecay = 0,
            Sampling = new SamplingOptions { MaxNewTokens = 1 },
            Source = RolloutSource.Of(other, Toy.Tokenizer),
            Staleness = new StalenessLimits { MaximumGap = double.PositiveInfinity },
            Objective = PolicyObjectives.Reinforce(),
            Correction = Exactly,
        };
        var reward = Reward.Of("third", completion => rewards[completion.Tokens[0]]);
        using var trainer = new GrpoTrainer(model, Toy.Tokenizer, reward, options);
        var report = await trainer.StepAsync([new Problem("=")]);
        Assert.InRange(report.Metrics["correction/effective_sample_size"], 0.05, 0.9);
        for (int at = 0; at < exact.Length; at++)
        {
            double square = stale
                .Select((chance, i) => chance * Math.Pow(policy[i] / chance * rewards[i] * ((i == at ? 1 : 0) - policy[at]), 2))
                .Sum();
            double error = Math.Sqrt((square - exact[at] * exact[at]) / 4096);
            Assert.InRange(model.Gradient[at], exact[at] - 3.89 * error, exact[at] + 3.89 * error);
        }
    }

    private static double[] Softmax(double[] logits) => [.. logits.Select(x => Math.Exp(x) / logits.Sum(Math.Exp))];

    private static (TokenTree Tree, Tensor Now, Tensor Old, Tensor Stale, Tensor Rewards) Tree()
    {
        var tree = new TokenTree(3, 2);
        return (
            tree,
            Numbers.Uniform(1, 1, tree.Nodes, 3),
            Numbers.Uniform(2, 1, tree.Nodes, 3),
            Numbers.Uniform(3, 1.2, tree.Nodes, 3),
            Numbers.Uniform(4, 1, tree.Sequences)
        );
    }
}
