using PostTrain.Data;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Training.Diagnostics;

namespace PostTrain.Tests.Policy;

/// <summary>Batches that turn out to hold one completion, or one token, are reported where a method standardises over them.</summary>
[Collection("Sequential")]
public sealed class ZeroAdvantagesTests
{
    private static readonly Problem[] Two = [new("0="), new("1=")];
    private static readonly IReward One = Reward.Of("one", _ => 1);

    [Theory]
    [InlineData(1, true)]
    [InlineData(2, false)]
    public async Task ReinforcePlusPlus_OverTheCallersBatch(int problems, bool alone)
    {
        using var model = Toy.Model();
        var diagnostics = new TrainingDiagnostics();
        var options = GrpoRuns.Small with
        {
            BatchSize = 2,
            GroupSize = 1,
            Objective = PolicyObjectives.ReinforcePlusPlus(),
            Observers = [diagnostics],
        };
        var before = Toy.Bytes(model);
        using var trainer = new GrpoTrainer(
            model,
            Toy.Tokenizer,
            Reward.Of("ids", completion => completion.Problem.Prompt == "0=" ? 1 : 3),
            options
        );
        var report = await trainer.StepAsync(Two[..problems]);
        Assert.Equal(alone, report.Metrics.ContainsKey("policy/zero_advantages"));
        Assert.Equal(alone ? ["zero-advantages"] : [], Named(diagnostics));
        Assert.Equal(alone, report.Metrics["grad_norm"] == 0);
        Assert.Equal(alone, before.SequenceEqual(Toy.Bytes(model)));
    }

    // A discount tells the tokens of one completion apart: their advantages are not 0, and nothing is said.
    [Fact]
    public async Task ReinforcePlusPlus_WithADiscount_OverTokens()
    {
        using var model = Toy.Model();
        var diagnostics = new TrainingDiagnostics();
        var options = GrpoRuns.Small with
        {
            BatchSize = 2,
            GroupSize = 1,
            Objective = PolicyObjectives.ReinforcePlusPlus() with { Advantage = AdvantageMethod.ReinforcePlusPlus(0.5) },
            Sampling = new SamplingOptions { MaxNewTokens = 4, MinNewTokens = 4 },
            Observers = [diagnostics],
        };
        using var trainer = new GrpoTrainer(model, Toy.Tokenizer, One, options);
        var report = await trainer.StepAsync(Two[..1]);
        Assert.True(report.Metrics["grad_norm"] > 0);
        Assert.DoesNotContain("policy/zero_advantages", report.Metrics.Keys);
        Assert.Empty(Named(diagnostics));
    }

    [Theory]
    [InlineData(1, 1, true, true)]
    [InlineData(1, 1, false, false)]
    [InlineData(1, 2, true, false)]
    [InlineData(2, 1, true, false)]
    public async Task Ppo_WhitenedOverOneToken(int problems, int tokens, bool whitened, bool alone)
    {
        using var model = Toy.Model();
        using var critic = ValueHead.For(model);
        var diagnostics = new TrainingDiagnostics();
        var options = new PpoOptions
        {
            Steps = 1,
            BatchSize = 2,
            Kl = KlControl.Fixed(0),
            WhitenAdvantages = whitened,
            Sampling = new SamplingOptions { MaxNewTokens = tokens, MinNewTokens = tokens },
            Observers = [diagnostics],
            Critic = critic,
        };
        using var trainer = new PpoTrainer(model, Toy.Tokenizer, One, options);
        var report = await trainer.StepAsync(Two[..problems]);
        Assert.Equal(alone, report.Metrics.ContainsKey("policy/zero_advantages"));
        Assert.Equal(alone ? ["zero-advantages"] : [], Named(diagnostics));
        if (alone)
            Assert.Equal(0, report.Metrics["policy/loss"], 1e-12);
    }

    private static IEnumerable<string> Named(TrainingDiagnostics diagnostics) =>
        diagnostics.Warnings.Select(warning => warning.Name).Where(name => name == "zero-advantages");
}
