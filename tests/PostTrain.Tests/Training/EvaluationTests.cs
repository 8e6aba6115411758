using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training;

[Collection("Sequential")]
public sealed class EvaluationTests : IDisposable
{
    private static readonly Demonstration[] Train = [new("0=", "ab"), new("1=", "ba"), new("2=", "aa")];

    // The opposite of what is trained: its loss can only rise in the end.
    private static readonly Demonstration[] Opposite = [new("0=", "bbbb"), new("1=", "b"), new("2=", "bb")];
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    // Batches of 2 and 1 examples with other token counts: the mean over all tokens is what one batch gives.
    [Fact]
    public void Evaluate_LossIsTheMeanOverAllTokens_WhateverTheBatches()
    {
        using var model = Toy.Model(type: ScalarType.Float64);
        var before = Toy.Bytes(model);
        double[] losses =
        [
            .. new[] { 1, 2, 3 }.Select(size =>
            {
                using var trainer = new SftTrainer(model, Toy.Tokenizer, new SftOptions { BatchSize = size });
                return trainer.Evaluate(Opposite)["eval/loss"];
            }),
        ];
        double sum = 0,
            count = 0;
        foreach (var example in Opposite)
        {
            int[] prompt = Toy.Tokenizer.Encode(example.Prompt),
                ids = [.. Toy.Tokenizer.Encode(example.Prompt + example.Completion), Toy.Tokenizer.EndOfSequenceId!.Value];
            var logProbs = Toy.LogProbs(model, ids);
            for (int t = prompt.Length; t < ids.Length; t++, count++)
                sum -= logProbs[t - 1][ids[t]];
        }
        Assert.All(losses, loss => Assert.Equal(sum / count, loss, 1e-12));
        Assert.Equal(before, Toy.Bytes(model));
    }

    [Fact]
    public void Run_NoBetterEvaluation_EndsEarly_AndKeepsTheBestCheckpoint()
    {
        using var model = Toy.Model();
        using var trainer = new SftTrainer(
            model,
            Toy.Tokenizer,
            new SftOptions
            {
                Steps = 60,
                BatchSize = 3,
                LearningRate = 3e-2,
                CheckpointDirectory = directory.Path,
                CheckpointEvery = 1,
                KeepCheckpoints = 2,
                Evaluation = new EvaluationOptions { Every = 1, Patience = 4 },
            }
        );
        var losses = trainer.Run(Train, Opposite).Select(report => report.Metrics["eval/loss"]).ToArray();
        int best = Array.IndexOf(losses, losses.Min());
        Assert.Equal(best + 1 + 4, losses.Length);
        Assert.True(losses.Length < 60);
        Assert.Equal(directory.File($"checkpoint-{best + 1:D8}"), Checkpoint.Best(directory.Path));
        Assert.Equal(3, Directory.GetDirectories(directory.Path).Length);

        using var again = Toy.Model(seed: 2);
        using var evaluator = new SftTrainer(again, Toy.Tokenizer, new SftOptions { BatchSize = 3 });
        evaluator.Resume(Checkpoint.Best(directory.Path)!);
        Assert.Equal(losses[best], evaluator.Evaluate(Opposite)["eval/loss"]);
    }

    [Fact]
    public void Resume_CountsPatienceOn()
    {
        double[] Losses(CausalLm model, int steps, string? resume)
        {
            using var trainer = new SftTrainer(
                model,
                Toy.Tokenizer,
                new SftOptions
                {
                    Steps = steps,
                    BatchSize = 3,
                    LearningRate = 3e-2,
                    CheckpointDirectory = directory.Path,
                    CheckpointEvery = 1,
                    Evaluation = new EvaluationOptions { Every = 1, Patience = 4 },
                }
            );
            if (resume is not null)
                trainer.Resume(resume);
            return [.. trainer.Run(Train, Opposite).Select(report => report.Metrics["eval/loss"])];
        }

        using var model = Toy.Model();
        var whole = Losses(model, 60, null);
        using var other = Toy.Model(seed: 3);
        Assert.Equal(whole[^2..], Losses(other, 60, directory.File($"checkpoint-{whole.Length - 2:D8}")));
    }

    [Fact]
    public void Step_InALoopOfOnesOwn_IsTheStepOfRun()
    {
        using var model = Toy.Model();
        using var other = Toy.Model();
        var options = new SftOptions
        {
            Steps = 4,
            BatchSize = 3,
            LearningRate = 1e-2,
        };
        using var whole = new SftTrainer(model, Toy.Tokenizer, options);
        using var single = new SftTrainer(other, Toy.Tokenizer, options);
        var order = new ShuffledOrder(Train.Length, options.Seed);
        var expected = whole.Run(Train).Select(Toy.Numbers).ToArray();
        var actual = Enumerable
            .Range(0, 4)
            .Select(step => Toy.Numbers(single.Step([.. Enumerable.Range(0, 3).Select(i => Train[order[3 * step + i]])])))
            .ToArray();
        Assert.Equal(expected, actual);
        Assert.Equal(4, single.StepsDone);
        Assert.Equal(Toy.Bytes(model), Toy.Bytes(other));
    }

    [Fact]
    public async Task RunAsync_EvaluatesByReward_WithoutMovingTheRun()
    {
        async Task<StepReport[]> Run(IReadOnlyList<Problem>? heldOut)
        {
            using var model = Toy.Model();
            using var trainer = new GrpoTrainer(
                model,
                Toy.Tokenizer,
                Reward.Of("length", completion => completion.Text.Length),
                new GrpoOptions
                {
                    Steps = 4,
                    BatchSize = 1,
                    GroupSize = 4,
                    LearningRate = 1e-2,
                    Sampling = new SamplingOptions { MaxNewTokens = 4 },
                    Evaluation = new EvaluationOptions
                    {
                        Every = 2,
                        Metric = "eval/reward/mean",
                        HigherIsBetter = true,
                    },
                }
            );
            var reports = new List<StepReport>();
            await foreach (var report in trainer.RunAsync([new Problem("0=")], heldOut))
                reports.Add(report);
            return [.. reports];
        }

        var (with, without) = (await Run([new Problem("1="), new Problem("2+2=")]), await Run(null));
        Assert.Equal([2L, 4L], with.Where(report => report.Metrics.ContainsKey("eval/reward/mean")).Select(report => report.Step));
        Assert.Equal(with[1].Metrics["eval/reward/mean"], with[1].Metrics["eval/reward/length"]);
        Assert.Equal(
            without.Select(Toy.Numbers),
            with.Select(report =>
                Toy.Numbers(report).Where(metric => !metric.Key.StartsWith("eval/", StringComparison.Ordinal)).ToDictionary()
            )
        );
    }

    [Fact]
    public void Checkpoint_HoldsOnlyWhatIsTrained_AndRefusesAnotherBase()
    {
        using var model = FrozenButNorm(Toy.Model());
        using var trainer = new SftTrainer(model, Toy.Tokenizer, Options());
        _ = trainer.Run(Train).Last();
        var path = Checkpoint.Latest(directory.Path)!;
        using (var file = SafetensorsFile.Open(Path.Combine(path, "model.safetensors")))
            Assert.Equal(["model.norm.weight"], file.Entries.Select(entry => entry.Name));

        using var same = FrozenButNorm(Toy.Model());
        using var resumed = new SftTrainer(same, Toy.Tokenizer, Options());
        resumed.Resume(path);
        Assert.Equal(Toy.Bytes(model), Toy.Bytes(same));

        using var stranger = FrozenButNorm(Toy.Model(seed: 2));
        using var refused = new SftTrainer(stranger, Toy.Tokenizer, Options());
        var error = Assert.Throws<InvalidDataException>(() => refused.Resume(path));
        Assert.Contains("expected the same base model", error.Message, StringComparison.Ordinal);

        SftOptions Options() =>
            new()
            {
                Steps = 2,
                BatchSize = 3,
                LearningRate = 1e-2,
                CheckpointDirectory = directory.Path,
            };
    }

    private static CausalLm FrozenButNorm(CausalLm model)
    {
        foreach (var (name, parameter) in model.named_parameters())
            parameter.requires_grad = name == "model.norm.weight";
        return model;
    }
}
