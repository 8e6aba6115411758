using PostTrain.Data;
using PostTrain.Distillation;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Preference.Online;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Tests.Policy;
using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Training.Diagnostics;
using TorchSharp;

namespace PostTrain.Tests.Rollouts.Sources;

/// <summary>Every trainer on rollouts with a source in place of the sampler.</summary>
public sealed class SourcedTrainingTests
{
    private const int Steps = 4;

    public static TheoryData<string> Trainers => ["grpo", "grpo corrected", "ppo", "online dpo", "xpo", "distillation"];

    [Theory]
    [MemberData(nameof(Trainers))]
    public async Task SourceOfThePolicy_TrainsTheSameBits(string name)
    {
        using var sampled = Toy.Model();
        using var sourced = Toy.Model();
        var reports = await Train(name, sampled, null);
        var versions = new List<long>();
        var source = new Watched(RolloutSource.Of(sourced, Toy.Tokenizer), versions);
        var same = await Train(name, sourced, source);
        Assert.Equal(Toy.Bytes(sampled), Toy.Bytes(sourced));
        Assert.NotEqual(Toy.Bytes(sampled), Toy.Bytes(Toy.Model()));
        Assert.Equal(Enumerable.Range(0, Steps).Select(step => (long)step), versions);
        Assert.All(
            reports,
            report => Assert.DoesNotContain(report.Metrics.Keys, key => key.StartsWith("rollout/", StringComparison.Ordinal))
        );
        Assert.All(
            same,
            report =>
            {
                Assert.InRange(report.Metrics["rollout/gap"], 0, 1e-5);
                Assert.Equal(0, report.Metrics["rollout/lag"]);
                Assert.DoesNotContain("rollout/stale", report.Metrics.Keys);
            }
        );
        foreach (var (expected, found) in reports.Zip(same))
        {
            foreach (var metric in (string[])["reward/mean", "completion/length"])
                Assert.Equal(expected.Metrics.GetValueOrDefault(metric), found.Metrics.GetValueOrDefault(metric));
            // Log-probs of the drawing pass or of training's: equal up to rounding.
            Assert.Equal(expected.Metrics.GetValueOrDefault("kl"), found.Metrics.GetValueOrDefault("kl"), 1e-5);
        }
    }

    [Fact]
    public async Task Deliveries_ComeEveryKUpdates_AndBeforeAnEvaluation()
    {
        using var model = Toy.Model();
        var versions = new List<long>();
        var options = GrpoRuns.Small with
        {
            Steps = 5,
            Source = new Watched(RolloutSource.Of(model, Toy.Tokenizer), versions),
            Staleness = new StalenessLimits { UpdatesPerDelivery = 2 },
        };
        using var trainer = new GrpoTrainer(model, Toy.Tokenizer, GrpoRuns.Even, options);
        await foreach (var report in trainer.RunAsync(GrpoRuns.Problems)) { }
        Assert.Equal([0, 2, 4], versions);
        await trainer.EvaluateAsync(GrpoRuns.Problems);
        Assert.Equal([0, 2, 4, 5], versions);
    }

    [Fact]
    public async Task OldOrForeignVersion_IsAnErrorBeforeTheUpdate_OrAWarning()
    {
        using var model = Toy.Model();
        var before = Toy.Bytes(model);
        GrpoOptions With(long version, StalenessLimits limits) =>
            GrpoRuns.Small with
            {
                Steps = 1,
                Source = new Lying(RolloutSource.Of(model, Toy.Tokenizer), sample => sample with { Version = version }),
                Staleness = limits,
            };

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => GrpoRuns.Train(model, GrpoRuns.Even, With(3, new())));
        Assert.Contains(
            "lying drew with weights 3, the policy has 0, expected at most 0 updates behind",
            error.Message,
            StringComparison.Ordinal
        );
        Assert.Equal(before, Toy.Bytes(model));

        var report = Assert.Single(
            await GrpoRuns.Train(model, GrpoRuns.Even, With(3, new StalenessLimits { Action = StalenessAction.Report }))
        );
        Assert.Equal(1, report.Metrics["rollout/stale"]);
        Assert.Equal("stale-rollouts", Assert.Single(TrainingDiagnostics.Of([report]), warning => warning.Name == "stale-rollouts").Name);
    }

    // Half a nat at every token, hand-worked: exp(−0.5) is far from any rounding.
    [Fact]
    public async Task GapOfLogProbs_IsMeasured_AndRefusedAboveItsLimit()
    {
        using var model = Toy.Model();
        var before = Toy.Bytes(model);
        GrpoOptions With(StalenessLimits limits) =>
            GrpoRuns.Small with
            {
                Steps = 1,
                Source = new Lying(
                    RolloutSource.Of(model, Toy.Tokenizer),
                    sample => sample with { LogProbs = [.. sample.LogProbs.Select(value => value - 0.5)] }
                ),
                Staleness = limits,
            };

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => GrpoRuns.Train(model, GrpoRuns.Even, With(new())));
        Assert.Contains(
            "log-probs of lying are 0.5 nats a token from the policy's, expected at most 0.25",
            error.Message,
            StringComparison.Ordinal
        );
        Assert.Equal(before, Toy.Bytes(model));
        var report = Assert.Single(await GrpoRuns.Train(model, GrpoRuns.Even, With(new StalenessLimits { MaximumGap = 0.6 })));
        Assert.Equal(0.5, report.Metrics["rollout/gap"], 1e-5);
    }

    [Fact]
    public async Task Resume_DeliversTheWeightsAgain()
    {
        using var folder = new TemporaryDirectory();
        using var model = Toy.Model();
        var versions = new List<long>();
        var options = GrpoRuns.Small with { Source = new Watched(RolloutSource.Of(model, Toy.Tokenizer), versions) };
        using var trainer = new GrpoTrainer(model, Toy.Tokenizer, GrpoRuns.Even, options);
        await trainer.StepAsync(GrpoRuns.Problems);
        var checkpoint = trainer.SaveCheckpoint(folder.File("checkpoints"));
        await trainer.StepAsync(GrpoRuns.Problems);
        trainer.Resume(checkpoint);
        await trainer.StepAsync(GrpoRuns.Problems);
        Assert.Equal([0, 1, 1], versions);
    }

    [Fact]
    public void WrongLimits_AreNamed()
    {
        using var model = Toy.Model();
        foreach (
            var (limits, name) in new (StalenessLimits, string)[]
            {
                (new() { UpdatesPerDelivery = 0 }, "UpdatesPerDelivery"),
                (new() { MaximumLag = -1 }, "MaximumLag"),
                (new() { MaximumGap = 0 }, "MaximumGap"),
                (new() { MaximumGap = double.NaN }, "MaximumGap"),
                (new() { Action = (StalenessAction)7 }, "Action"),
            }
        )
            Assert.Equal(
                name,
                Assert
                    .ThrowsAny<ArgumentException>(() =>
                        new GrpoTrainer(model, Toy.Tokenizer, GrpoRuns.Even, GrpoRuns.Small with { Staleness = limits })
                    )
                    .ParamName
            );
    }

    private static async Task<StepReport[]> Train(string name, CausalLm model, IRolloutSource? source)
    {
        using var other = Toy.Model(seed: 2);
        var sampling = new SamplingOptions { MaxNewTokens = 4 };
        using RolloutTrainer trainer = name switch
        {
            "grpo" or "grpo corrected" => new GrpoTrainer(
                model,
                Toy.Tokenizer,
                GrpoRuns.Even,
                GrpoRuns.Small with
                {
                    Steps = Steps,
                    Source = source,
                    Correction = name == "grpo" ? null : ImportanceCorrection.Tis(),
                }
            ),
            "ppo" => new PpoTrainer(
                model,
                Toy.Tokenizer,
                GrpoRuns.Even,
                new PpoOptions
                {
                    Steps = Steps,
                    UpdatesPerBatch = 1,
                    LearningRate = 1e-2,
                    Sampling = sampling,
                    Reference = ReferencePolicy.Of(other),
                    Source = source,
                }
            ),
            "distillation" => new OnPolicyDistillationTrainer(
                model,
                Toy.Tokenizer,
                ReferencePolicy.Of(other),
                new OnPolicyDistillationOptions
                {
                    Steps = Steps,
                    LearningRate = 1e-2,
                    Sampling = sampling,
                    Source = source,
                }
            ),
            _ => new OnlineDpoTrainer(
                model,
                Toy.Tokenizer,
                GrpoRuns.Even,
                new OnlineDpoOptions
                {
                    Steps = Steps,
                    LearningRate = 1e-2,
                    Sampling = sampling,
                    Reference = ReferencePolicy.Of(other),
                    Method = name == "xpo" ? OnlineMethod.Xpo(1e-3) : OnlineMethod.Dpo,
                    Source = source,
                }
            ),
        };
        var reports = new List<StepReport>();
        await foreach (var report in trainer.RunAsync(GrpoRuns.Problems))
            reports.Add(report);
        return [.. reports];
    }

    private sealed class Watched(IRolloutSource inner, List<long> versions) : IRolloutSource
    {
        public string Name => inner.Name;

        public IAsyncEnumerable<RolloutSample> GenerateAsync(RolloutRequest request, CancellationToken cancellation = default) =>
            inner.GenerateAsync(request, cancellation);

        public Task UpdateAsync(CausalLm policy, long version, CancellationToken cancellation = default)
        {
            versions.Add(version);
            return Task.CompletedTask;
        }
    }

    private sealed class Lying(IRolloutSource inner, Func<RolloutSample, RolloutSample> change) : IRolloutSource
    {
        public string Name => "lying";

        public async IAsyncEnumerable<RolloutSample> GenerateAsync(
            RolloutRequest request,
            [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation = default
        )
        {
            await foreach (var sample in inner.GenerateAsync(request, cancellation))
                yield return change(sample);
        }
    }
}
