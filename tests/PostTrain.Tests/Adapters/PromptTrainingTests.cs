using PostTrain.Adapters.Prompts;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Adapters;

public sealed class PromptTrainingTests
{
    private static readonly Demonstration[] Words = [new("a=", "bcd"), new("b=", "dc"), new("c=", "f0f")];

    // One trainer, every way to prompt: the loss falls, the model keeps its bytes.
    [Theory]
    [InlineData("prompt")]
    [InlineData("prefix")]
    [InlineData("prefix-projection")]
    [InlineData("p-tuning-mlp")]
    [InlineData("p-tuning-lstm")]
    [InlineData("template")]
    public void Sft_LowersTheLoss_AndLeavesTheModelAlone(string kind)
    {
        using var model = Strong();
        var before = Toy.Bytes(model);
        using var prompted = Create(model, kind);
        var template = new PromptTemplate("{2}{prompt}{2}");
        var tokenizer =
            kind == "template"
                ? new TemplateTokenizer(Toy.Tokenizer, (TemplatePromptLm)prompted)
                : (PostTrain.Text.ITokenizer)Toy.Tokenizer;
        var data = kind == "template" ? [.. Words.Select(template.Apply)] : Words;
        using var trainer = new SftTrainer(
            prompted,
            tokenizer,
            new SftOptions
            {
                Steps = 80,
                BatchSize = 3,
                MicroBatchSize = 2,
                LearningRate = 0.03,
            }
        );
        var losses = trainer.Run(data).Select(report => report.Loss).ToArray();
        Assert.True(losses[^1] < losses[0] - 0.3, $"{kind}: {losses[^1]} after {losses[0]}");
        Assert.Equal(before, Toy.Bytes(model));
        Assert.All(model.parameters(), parameter => Assert.True(parameter.grad is null));
    }

    [Theory]
    [InlineData("prompt")]
    [InlineData("prefix")]
    [InlineData("template")]
    public async Task Grpo_RaisesTheReward_AndLeavesTheModelAlone(string kind)
    {
        using var model = Strong();
        var before = Toy.Bytes(model);
        using var prompted = Create(model, kind);
        var template = new PromptTemplate("{2}{prompt}{2}");
        var tokenizer =
            kind == "template"
                ? new TemplateTokenizer(Toy.Tokenizer, (TemplatePromptLm)prompted)
                : (PostTrain.Text.ITokenizer)Toy.Tokenizer;
        Problem[] problems = kind == "template" ? [template.Apply(new Problem("0="))] : [new Problem("0=")];
        var reward = Reward.Of(
            "starts_with_a_to_f",
            completion => completion.Text.Length > 0 && completion.Text[0] is >= 'a' and <= 'f' ? 1 : 0
        );
        var options = new GrpoOptions
        {
            Steps = 80,
            BatchSize = 4,
            GroupSize = 8,
            LearningRate = 0.2,
            Sampling = new SamplingOptions { MaxNewTokens = 2 },
        };
        using var trainer = new GrpoTrainer(prompted, tokenizer, reward, options);
        var means = new List<double>();
        await foreach (var report in trainer.RunAsync(problems))
        {
            means.Add(report.Metrics["reward/mean"]);
            // On-policy in the first update: what was sampled with the cache is what training computes.
            Assert.InRange(report.Metrics["policy/old_kl"], -1e-5, 1e-5);
        }

        Assert.True(
            means.TakeLast(20).Average() > means.Take(3).Average() + 0.1,
            $"{means.TakeLast(20).Average()} after {means.Take(3).Average()}"
        );
        Assert.Equal(before, Toy.Bytes(model));
    }

    [Fact]
    public void Sft_Packed_IsRefusedForAPromptAtTheRowsStart_AndWorksInATemplate()
    {
        using var model = Strong();
        var options = new SftOptions
        {
            Steps = 2,
            BatchSize = 3,
            Packing = true,
        };
        using (var prompted = Create(model, "prompt"))
        using (var trainer = new SftTrainer(prompted, Toy.Tokenizer, options))
            Assert.Contains(
                "packed sequences",
                Assert.Throws<ArgumentException>(() => trainer.Run(Words).ToArray()).Message,
                StringComparison.Ordinal
            );
        using var template = (TemplatePromptLm)Create(model, "template");
        var around = new PromptTemplate("{1}{prompt}{1}");
        double[] Losses(bool packing)
        {
            using var fresh = new TemplatePromptLm(model, template.Encoder.Fold());
            using var trainer = new SftTrainer(fresh, new TemplateTokenizer(Toy.Tokenizer, fresh), options with { Packing = packing });
            return [.. trainer.Run([.. Words.Select(around.Apply)]).Select(report => report.Loss)];
        }

        Assert.All(Losses(true).Zip(Losses(false)), pair => Assert.Equal(pair.Second, pair.First, 1e-5));
    }

    // Toy's weights are so small that no prompt could move its logits.
    private static PostTrain.Models.Decoder Strong()
    {
        var model = Toy.Model(layers: 2);
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        foreach (var parameter in model.parameters().Where(parameter => parameter.dim() == 2))
            parameter.mul_(10);
        return model;
    }

    private static PromptedLm Create(PostTrain.Models.Decoder model, string kind) =>
        kind switch
        {
            "prompt" => new SoftPromptLm(model, PromptTable.Random(4, 16, 5)),
            "prefix" => new PrefixLm(model, PromptTable.Random(4, PrefixLm.WidthFor(model), 5)),
            "prefix-projection" => new PrefixLm(model, new PrefixProjection(4, PrefixLm.WidthFor(model), 16, 16, 5)),
            "p-tuning-mlp" => new SoftPromptLm(model, new MlpPromptEncoder(4, 16, 16, 5)),
            "p-tuning-lstm" => new SoftPromptLm(model, new LstmPromptEncoder(4, 16, 8, 2, 0, 5)),
            _ => new TemplatePromptLm(model, PromptTable.Random(4, 16, 5)),
        };
}
