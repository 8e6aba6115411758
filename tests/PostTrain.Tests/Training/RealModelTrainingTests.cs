using PostTrain.Adapters;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Preference;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Text;
using PostTrain.Training;

namespace PostTrain.Tests.Training;

/// <summary>The two real models through SFT, DPO, PPO and GRPO with LoRA: each learns through the adapter alone.</summary>
[Collection("Sequential")]
public sealed class RealModelTrainingTests
{
    private static readonly string[] Models = ["stories260K-hf", "craftgpt-5m"];
    private static readonly IReward ShareOfE = Reward.Of(
        "e",
        completion => completion.Text.Length == 0 ? 0 : completion.Text.Count(letter => letter == 'e') / (double)completion.Text.Length
    );

    [RealModelFact]
    public void Sft_WithLora_LearnsThroughTheAdapterAlone()
    {
        Demonstration[] data = [new("the dog", " is a very good friend of the cat"), new("the cat", " is a very good friend of the dog")];
        ForEach(
            (model, tokenizer, adapted) =>
            {
                using var trainer = new SftTrainer(
                    model,
                    tokenizer,
                    new SftOptions
                    {
                        Steps = 12,
                        BatchSize = 2,
                        LearningRate = 5e-3,
                    }
                );
                var losses = trainer.Run(data).Select(report => report.Loss).ToArray();
                Assert.True(losses[^1] < 0.7 * losses[0], $"the loss went from {losses[0]} to {losses[^1]}");
                return Task.CompletedTask;
            }
        );
    }

    [RealModelFact]
    public void Dpo_WithLora_LearnsThroughTheAdapterAlone()
    {
        PreferencePair[] data =
        [
            new("the dog", " is a good friend", " was cold and sad"),
            new("the cat", " is a good friend", " was cold and sad"),
        ];
        ForEach(
            (model, tokenizer, adapted) =>
            {
                using var trainer = new DpoTrainer(
                    model,
                    tokenizer,
                    adapted.Reference(model),
                    new DpoOptions
                    {
                        Steps = 12,
                        BatchSize = 2,
                        LearningRate = 5e-3,
                    }
                );
                var reports = trainer.Run(data).ToArray();
                Assert.Equal(Math.Log(2), reports[0].Loss, 1e-5);
                Assert.True(reports[^1].Loss < 0.5, $"the loss is {reports[^1].Loss}");
                Assert.Equal(1, reports[^1].Metrics["reward/accuracy"]);
                return Task.CompletedTask;
            }
        );
    }

    [RealModelFact]
    public void Ppo_WithLora_LearnsThroughTheAdapterAlone() =>
        ForEach(
            async (model, tokenizer, adapted) =>
            {
                using var critic = ValueHead.For(model);
                var options = new PpoOptions
                {
                    Steps = 20,
                    BatchSize = 48,
                    MicroBatchSize = 24,
                    LearningRate = 1e-3,
                    Kl = KlControl.Fixed(0.01),
                    Sampling = new SamplingOptions { MaxNewTokens = 12 },
                };
                using var trainer = new PpoTrainer(
                    model,
                    tokenizer,
                    ShareOfE,
                    options with
                    {
                        Critic = critic,
                        Reference = adapted.Reference(model),
                    }
                );
                var rewards = new List<double>();
                await foreach (var report in trainer.RunAsync([new Problem("the dog"), new Problem("one day")]))
                    rewards.Add(report.Metrics["reward/mean"]);
                Assert.True(rewards.TakeLast(4).Average() > rewards.Take(4).Average(), string.Join(" ", rewards));
            }
        );

    private static void ForEach(Func<CausalLm, ITokenizer, AdaptedModel, Task> train)
    {
        foreach (var name in Models)
        {
            using var model = Pretrained.Load(RealModels.PathOf(name));
            var frozen = Toy.Bytes(model);
            using (
                var adapted = AdaptedModel.Attach(
                    model,
                    new LoraOptions
                    {
                        Rank = 8,
                        Alpha = 16,
                        Targets = ModuleSelection.AllLinear,
                    }
                )
            )
                train(model, TokenizerFiles.Load(RealModels.PathOf(name)), adapted).GetAwaiter().GetResult();
            Assert.Equal(frozen, Toy.Bytes(model));
        }
    }

    // The base is the reference: the adapter switched off.
    [RealModelFact]
    public async Task Grpo_WithLora_LearnsThroughTheAdapterAlone()
    {
        using var model = Pretrained.Load(RealModels.PathOf("stories260K-hf"));
        var tokenizer = TokenizerFiles.Load(RealModels.PathOf("stories260K-hf"));
        var frozen = Toy.Bytes(model);
        using var adapted = AdaptedModel.Attach(
            model,
            new LoraOptions
            {
                Rank = 8,
                Alpha = 16,
                Targets = ModuleSelection.AllLinear,
            }
        );
        var options = new GrpoOptions
        {
            Steps = 12,
            BatchSize = 2,
            GroupSize = 8,
            UpdatesPerBatch = 2,
            MicroBatchSize = 8,
            LearningRate = 5e-3,
            Objective = PolicyObjectives.Dapo() with { Beta = 0.01 },
            DynamicSampling = new DynamicSampling { MaxDraws = 3 },
            Sampling = new SamplingOptions { MaxNewTokens = 8 },
        };
        var reward = Reward.Of("was", completion => completion.Text.Split(' ').Contains("was") ? 1 : 0);
        using var trainer = new GrpoTrainer(model, tokenizer, reward, options with { Reference = adapted.Reference(model) });
        var reports = new List<StepReport>();
        await foreach (var report in trainer.RunAsync([new Problem("Once upon a time, there"), new Problem("The little dog")]))
            reports.Add(report);
        Assert.All(reports, report => Assert.True(report.Metrics["grad_norm"] > 0));
        Assert.True(reports[^1].Metrics["kl"] > 1e-4);
        double Mean(Range steps) => reports[steps].Average(report => report.Metrics["reward/mean"]);
        Assert.True(Mean(^3..) > Mean(..3) + 0.1, $"the reward went from {Mean(..3)} to {Mean(^3..)}");
        adapted.Dispose();
        Assert.Equal(frozen, Toy.Bytes(model));
    }
}
