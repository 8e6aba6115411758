using PostTrain.Data;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Policy;

public sealed class GrpoPresetTests
{
    public static TheoryData<string> Names => [.. GrpoRuns.Presets.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Run_RaisesTheReward(string name)
    {
        using var model = Toy.Model();
        var options = GrpoRuns.Small with
        {
            Objective = GrpoRuns.Presets[name],
            Steps = 24,
            BatchSize = 4,
            GroupSize = 8,
            UpdatesPerBatch = 2,
            Sampling = new SamplingOptions { MaxNewTokens = 2 },
        };
        var reports = await GrpoRuns.Train(model, GrpoRuns.EvenAndLength, options);
        double Mean(Range steps) => reports[steps].Average(report => report.Metrics["reward/even"]);
        Assert.InRange(Mean(..2), 0.2, 0.75);
        Assert.True(Mean(^4..) > 0.85, $"the reward went from {Mean(..2)} to {Mean(^4..)}");
    }

    /// <summary>Presets with a baseline: without one, equal rewards have a gradient.</summary>
    public static TheoryData<string> NamesWithBaseline => [.. GrpoRuns.Presets.Keys.Except(["REINFORCE", "ReMax", "REINFORCE++"])];

    [Theory]
    [MemberData(nameof(NamesWithBaseline))]
    public async Task Run_EqualRewards_HaveNoGradient(string name)
    {
        using var model = Toy.Model();
        var before = Toy.Bytes(model);
        var reward = Reward.Weighted((1, Reward.Of("even", _ => 0.3)), (0.1, Reward.Of("length", _ => 0.7)));
        var reports = await GrpoRuns.Train(model, reward, GrpoRuns.Small with { Objective = GrpoRuns.Presets[name], UpdatesPerBatch = 2 });
        Assert.All(reports, report => Assert.Equal((1.0, 0.0), (report.Metrics["reward/zero_groups"], report.Metrics["grad_norm"])));
        Assert.Equal(before, Toy.Bytes(model));
    }

    // All 20 tokens have probability 1/20, the ratio is 1. One right answer of four: mean 1/4, deviation ½ (dividing by 3), advantages 1.5
    // and −0.5 over 1 + 2e-4; the gradient of logit v is −¼ Σ_i A_i (1[v = token i] − 1/20), and Σ A = 0.
    [Fact]
    public async Task FirstStep_Grpo_ByHand()
    {
        var (report, model, tokens) = await FirstStep(PolicyObjectives.Grpo());
        double deviation = 0.5 + 1e-4;
        double[] expected = new double[20];
        foreach (var (token, i) in tokens.Select((token, i) => (token, i)))
            expected[token] -= (i == 0 ? 0.75 : -0.25) / deviation / 4;
        Assert.Equal(0, report.Loss, 1e-12);
        Close(expected, model.Gradient);
        Assert.Equal(Math.Sqrt(expected.Sum(g => g * g)), report.Metrics["grad_norm"], 1e-9);
        model.Dispose();
    }

    // −¼·1·log(1/20), and of the one rewarded completion the gradient −¼(1[v = token] − 1/20), whose norm is ¼√(19/20).
    [Fact]
    public async Task FirstStep_Reinforce_ByHand()
    {
        var (report, model, tokens) = await FirstStep(PolicyObjectives.Reinforce());
        Assert.Equal(Math.Log(20) / 4, report.Loss, 1e-12);
        Assert.Equal(Math.Sqrt(0.95) / 4, report.Metrics["grad_norm"], 1e-9);
        Close([.. Enumerable.Range(0, 20).Select(v => -0.25 * ((v == tokens[0] ? 1 : 0) - 0.05))], model.Gradient);
        model.Dispose();
    }

    // The penalty is β(log π − log π_ref) of the token, and each completion is compared with the mean of the other three.
    [Fact]
    public async Task FirstStep_RlooWithKlInTheReward_ByHand()
    {
        double[] logits = [.. Enumerable.Range(0, 20).Select(v => 0.1 * v)];
        double normalizer = Math.Log(logits.Sum(Math.Exp));
        using var reference = new BigramLm(logits);
        var (report, model, tokens) = await FirstStep(PolicyObjectives.Rloo(), KlPenalty.Reward(KlControl.Fixed(0.5)), reference);
        double[] divergence = [.. tokens.Select(token => -Math.Log(20) - (logits[token] - normalizer))];
        double[] rewards = [.. divergence.Select((kl, i) => (i == 0 ? 1 : 0) - (0.5 * kl))];
        double[] expected = new double[20];
        for (int i = 0; i < 4; i++)
            expected[tokens[i]] -= (rewards[i] - ((rewards.Sum() - rewards[i]) / 3)) / 4;
        Close(expected, model.Gradient);
        Assert.Equal(divergence.Average(), report.Metrics["kl/completion"], 1e-9);
        Assert.Equal(0.5, report.Metrics["kl/coefficient"]);
        model.Dispose();
    }

    /// <summary>E[gradient] = −w_G(p)∇p of a reward of 0 or 1, measured on 16,384 completions through the trainer; one right token of 20,
    /// so p = 1/20.</summary>
    [Theory]
    [InlineData("GRPO", 2.313)]
    [InlineData("Dr. GRPO", 7.0 / 8)]
    [InlineData("RLOO", 1)]
    public async Task Gradient_OfRareSuccess_HasItsDifficultyWeight(string name, double weight)
    {
        using var model = new BigramLm();
        int right = Toy.Tokenizer.Encode("a")[0];
        var options = GrpoRuns.Small with
        {
            Objective = name == "Dr. GRPO" ? PolicyObjectives.DrGrpo(1) : GrpoRuns.Presets[name],
            Steps = 1,
            BatchSize = 2048,
            GroupSize = 8,
            MaxGradNorm = double.PositiveInfinity,
            Sampling = new SamplingOptions { MaxNewTokens = 1 },
        };
        await GrpoRuns.Train(
            model,
            Reward.Of("a", completion => completion.Tokens[0] == right ? 1 : 0),
            options,
            problems: [new Problem("0=")]
        );
        double[] slope = [.. Enumerable.Range(0, 20).Select(v => 0.05 * ((v == right ? 1 : 0) - 0.05))];
        double measured = -slope.Zip(model.Gradient, (a, b) => a * b).Sum() / slope.Sum(a => a * a);
        // The deviation of such a mean is below 3 % of it.
        Assert.InRange(measured / weight, 0.91, 1.09);
    }

    private static async Task<(PostTrain.Training.StepReport Report, BigramLm Model, int[] Tokens)> FirstStep(
        PolicyObjective objective,
        KlPenalty? kl = null,
        BigramLm? reference = null
    )
    {
        var model = new BigramLm();
        int[] tokens = [];
        var reward = new GrpoRuns.OfAll(completions =>
        {
            tokens = [.. completions.Select(completion => completion.Tokens[0])];
            return [1, 0, 0, 0];
        });
        var options = GrpoRuns.Small with
        {
            Objective = objective,
            Kl = kl,
            Steps = 1,
            BatchSize = 1,
            MaxGradNorm = double.PositiveInfinity,
            Sampling = new SamplingOptions { MaxNewTokens = 1 },
        };
        var report = Assert.Single(await GrpoRuns.Train(model, reward, options, reference, [new Problem("0=")]));
        return (report, model, tokens);
    }

    private static void Close(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-9));
    }
}
