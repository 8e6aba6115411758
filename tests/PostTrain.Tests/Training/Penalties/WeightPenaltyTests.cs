using PostTrain.Adapters;
using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Preference;
using PostTrain.Supervised;
using PostTrain.Tests.Policy;
using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Training.Penalties;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training.Penalties;

public sealed class WeightPenaltyTests
{
    private static readonly Demonstration[] Shown = [new("1+1=", "2"), new("1+2=", "3"), new("2+2=", "4"), new("2+3=", "5")];

    [Fact]
    public void L2Sp_AndEwc_ByHand()
    {
        using var scope = NewDisposeScope();
        using var model = new BigramLm([.. Enumerable.Repeat(0.0, 20)]);
        var table = model.parameters().Single();
        using var fisher = FisherInformation.Exact(model, SequenceBatch.Of([new TokenExample(Toy.Tokenizer.Encode("=1"), 1)], 0));
        using var near = WeightPenalty.L2Sp(model, alpha: 3);
        using var ewc = WeightPenalty.Ewc(model, fisher, lambda: 8);
        Assert.Equal(0, near.Penalty().ToDouble());
        Assert.Equal(0, ewc.Penalty().ToDouble());
        using (no_grad())
        {
            table[BigramLm.Row][4].add_(2);
            table[0][0].sub_(1);
        }
        // 3/2·(4 + 1); 8/2·p(1 − p)·4 with p = 1/20, and no information of the other row.
        Assert.Equal(7.5, near.Penalty().ToDouble(), 12);
        Assert.Equal(16 * 0.05 * 0.95, ewc.Penalty().ToDouble(), 12);
        ewc.Penalty().backward();
        Assert.Equal(8 * 0.05 * 0.95 * 2, table.grad![BigramLm.Row][4].ToDouble(), 12);
        Assert.Equal(0, table.grad![0][0].ToDouble());
    }

    [Fact]
    public void Update_AddsTheGradientOnce_HoweverTheBatchIsCut()
    {
        byte[] Trained(int? parts, double alpha)
        {
            using var model = Toy.Model();
            using var penalty = WeightPenalty.L2Sp(model, alpha);
            using var trainer = new SftTrainer(model, Toy.Tokenizer, Options(penalty) with { MicroBatchSize = parts });
            var reports = trainer.Run(Shown).ToArray();
            Assert.Equal(0, reports[0].Metrics["penalty/l2sp"]);
            if (alpha > 0)
                Assert.True(reports[^1].Metrics["penalty/l2sp"] > 0);
            return Toy.Bytes(model);
        }
        using var plain = Toy.Model();
        using (var trainer = new SftTrainer(plain, Toy.Tokenizer, Options()))
            foreach (var report in trainer.Run(Shown))
                Assert.False(report.Metrics.ContainsKey("penalty/l2sp"));
        // A weight of 0 changes no bit; another does; and the parts only the rounding.
        Assert.Equal(Toy.Bytes(plain), Trained(null, 0));
        var whole = Floats(Trained(null, 5));
        Assert.NotEqual(Floats(Toy.Bytes(plain)), whole);
        foreach (var (a, b) in whole.Zip(Floats(Trained(1, 5))))
            Assert.Equal(a, b, 1e-4f);
    }

    [Fact]
    public void StrongPenalty_HoldsEveryTrainerAtItsStart()
    {
        // The same runs with and without the penalty: how far the weights go.
        foreach (var (name, run) in Runs)
        {
            double free = Distance(run, 0),
                held = Distance(run, 1e4);
            Assert.True(free > 1e-3, $"{name} without a penalty moved by {free}");
            Assert.True(held < free / 2, $"{name} moved by {held} with the penalty, by {free} without");
        }
    }

    [Fact]
    public void Adapter_IsHeldThroughItsOwnParameters()
    {
        using var model = Toy.Model();
        using var adapted = AdaptedModel.Attach(model, new LoraOptions { Targets = ["q_proj"], Rank = 2 });
        using var penalty = WeightPenalty.L2Sp(model, 1);
        using var trainer = new SftTrainer(model, Toy.Tokenizer, Options(penalty));
        Assert.True(trainer.Run(Shown).Last().Metrics["penalty/l2sp"] > 0);
    }

    [Fact]
    public void ResumedRun_IsTheUninterruptedOne_ToTheBit()
    {
        using var folder = new TemporaryDirectory();
        byte[] Run(int steps, string? resume)
        {
            using var model = Toy.Model();
            using var penalty = WeightPenalty.L2Sp(model, 2);
            using var trainer = new SftTrainer(
                model,
                Toy.Tokenizer,
                Options(penalty) with
                {
                    Steps = steps,
                    CheckpointDirectory = folder.Path,
                    CheckpointEvery = 2,
                }
            );
            if (resume is not null)
                trainer.Resume(resume);
            Assert.Equal(resume is null ? 6 : 4, trainer.Run(Shown).Count());
            return Toy.Bytes(model);
        }
        var whole = Run(6, null);
        Assert.Equal(whole, Run(6, Path.Combine(folder.Path, "checkpoint-00000002")));
    }

    [Fact]
    public void WhatDoesNotFit_IsRefusedByName()
    {
        using var scope = NewDisposeScope();
        using var model = Toy.Model();
        Assert.Throws<ArgumentOutOfRangeException>(() => WeightPenalty.L2Sp(model, -1));
        using var bigram = new BigramLm();
        using var fisher = FisherInformation.Exact(bigram, SequenceBatch.Of([new TokenExample(Toy.Tokenizer.Encode("=1"), 1)], 0));
        Assert.Contains(
            "fisher has nothing for the parameter 'model.embed_tokens.weight'",
            Assert.Throws<ArgumentException>(() => WeightPenalty.Ewc(model, fisher, 1)).Message,
            StringComparison.Ordinal
        );
        foreach (var parameter in model.parameters())
            parameter.requires_grad = false;
        Assert.Throws<ArgumentException>(() => WeightPenalty.L2Sp(model, 1));
    }

    private static IEnumerable<(string Name, Action<CausalLm, WeightPenalty> Run)> Runs =>
        [
            (
                "sft",
                (model, penalty) =>
                {
                    using var trainer = new SftTrainer(model, Toy.Tokenizer, Options(penalty) with { Steps = 20 });
                    _ = trainer.Run(Shown).Count();
                }
            ),
            (
                "pre-training",
                (model, penalty) =>
                {
                    using var trainer = new PretrainingTrainer(model, Toy.Tokenizer, Options(penalty) with { Steps = 20 });
                    _ = trainer.Run(PretrainingText.Pieces(["1+1=2", "2+2=4"], Toy.Tokenizer, 4)).Count();
                }
            ),
            (
                "dpo",
                (model, penalty) =>
                {
                    using var reference = Toy.Model();
                    using var trainer = new DpoTrainer(
                        model,
                        Toy.Tokenizer,
                        reference,
                        new DpoOptions
                        {
                            Steps = 20,
                            BatchSize = 2,
                            LearningRate = 1e-2,
                            Terms = [penalty],
                        }
                    );
                    _ = trainer.Run([new("1+", "2", "3"), new("2+", "3", "4")]).Count();
                }
            ),
            (
                "grpo",
                (model, penalty) =>
                    GrpoRuns.Train(model, GrpoRuns.Even, GrpoRuns.Small with { Steps = 20, Terms = [penalty] }).GetAwaiter().GetResult()
            ),
            (
                "ppo",
                (model, penalty) =>
                {
                    using var trainer = new PpoTrainer(
                        model,
                        Toy.Tokenizer,
                        GrpoRuns.Even,
                        new PpoOptions
                        {
                            Steps = 6,
                            BatchSize = 4,
                            LearningRate = 1e-2,
                            Kl = KlControl.Fixed(0),
                            Sampling = new() { MaxNewTokens = 3 },
                            Terms = [penalty],
                        }
                    );
                    Assert.Equal(6, trainer.RunAsync(GrpoRuns.Problems).ToBlockingEnumerable().Count());
                }
            ),
        ];

    private static double Distance(Action<CausalLm, WeightPenalty> run, double alpha)
    {
        using var scope = NewDisposeScope();
        using var model = Toy.Model();
        using var start = Toy.Model();
        using var penalty = WeightPenalty.L2Sp(model, alpha);
        run(model, penalty);
        using var mode = no_grad();
        return Math.Sqrt(model.parameters().Zip(start.parameters()).Sum(pair => (pair.First - pair.Second).square().sum().ToDouble()));
    }

    private static SftOptions Options(params WeightPenalty[] penalties) =>
        new()
        {
            Steps = 4,
            BatchSize = 4,
            LearningRate = 1e-2,
            Terms = penalties,
        };

    private static float[] Floats(byte[] bytes) => System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(bytes).ToArray();
}
