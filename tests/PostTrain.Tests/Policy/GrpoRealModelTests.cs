using PostTrain.Adapters;
using PostTrain.Data;
using PostTrain.Data.Text;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using PostTrain.Training;

namespace PostTrain.Tests.Policy;

public sealed class GrpoRealModelTests
{
    // The base is the reference: the adapter switched off.
    [RealModelFact]
    public async Task Stories_WithLora_LearnsThroughTheAdapterAlone()
    {
        using var model = Pretrained.Load(RealModels.PathOf("stories260K-hf"));
        var tokenizer = TokenizerFiles.Load(RealModels.PathOf("stories260K-hf"));
        var frozen = Toy.Bytes(model);
        using var adapted = AdaptedModel.Attach(model, new LoraOptions { Rank = 8, Alpha = 16, Targets = ModuleSelection.AllLinear });
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
        using var trainer = new GrpoTrainer(model, tokenizer, reward, options, ReferencePolicy.WithoutAdapter(model, adapted.Disabled));
        var reports = new List<StepReport>();
        await foreach (var report in trainer.RunAsync([new Problem("Once upon a time, there"), new Problem("The little dog")])) reports.Add(report);
        Assert.All(reports, report => Assert.True(report.Metrics["grad_norm"] > 0));
        Assert.True(reports[^1].Metrics["kl"] > 1e-4);
        double Mean(Range steps) => reports[steps].Average(report => report.Metrics["reward/mean"]);
        Assert.True(Mean(^3..) > Mean(..3) + 0.1, $"the reward went from {Mean(..3)} to {Mean(^3..)}");
        adapted.Dispose();
        Assert.Equal(frozen, Toy.Bytes(model));
    }
}
