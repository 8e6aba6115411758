using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Preference;
using PostTrain.Recipes;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Tests.Recipes;

/// <summary>What the pipelines add to their trainers: rankings as pairs, averages, merged updates, and stages that are the trainers bit for
/// bit.</summary>
[Collection("Sequential")]
public sealed class PipelineTests
{
    private static readonly Demonstration[] Demonstrations = [new("1+1=", "2"), new("1+2=", "3"), new("2+2=", "4")];

    [Fact]
    public void Rankings_GiveAllTheirPairs()
    {
        var pairs = new RankedCompletions("?", ["a", "b", "c", "d"]).Pairs;
        Assert.Equal(6, pairs.Count);
        Assert.All(pairs, pair => Assert.True(string.CompareOrdinal(pair.Chosen.Text, pair.Rejected.Text) < 0));
        Assert.Throws<ArgumentException>(() => new RankedCompletions("?", ["a"]).Pairs);
    }

    // θ_prev = 3, θ = 5, τ = 3 − 1 = 2, α = ¼: 3 + ¾·2 + ¼·2 = 5; from there with no step: 5 + ½.
    [Fact]
    public void OnlineMerging_MixesTheUpdateWithTheSupervisedChange()
    {
        using var model = nn.Linear(1, 1, hasBias: false, dtype: ScalarType.Float64);
        void Set(double value)
        {
            using var mode = no_grad();
            model.weight!.fill_(value);
        }
        Set(3);
        using var scope = NewDisposeScope();
        using var merging = new OnlineMerging(
            model,
            new Dictionary<string, Tensor> { ["weight"] = ones(1, 1, dtype: ScalarType.Float64) },
            0.25
        );
        Set(5);
        merging.AfterUpdate(new UpdateMoment(1, 2, 1));
        Assert.Equal(5, model.weight!.ToDouble(), 1e-12);
        merging.AfterUpdate(new UpdateMoment(2, 2, 1));
        Assert.Equal(5.5, model.weight!.ToDouble(), 1e-12);
        Assert.Throws<ArgumentException>(() => new OnlineMerging(model, new Dictionary<string, Tensor>(), 0.25));
    }

    // One round by hand: the same supervised stage, two runs of DPO from there, the mean of their weights.
    [Fact]
    public async Task LlamaRounds_AverageTheRunsOfDpo()
    {
        var draws = new DrawOptions
        {
            Draws = 4,
            Sampling = new SamplingOptions { MaxNewTokens = 3 },
        };
        var reward = Reward.Of("digits", completion => completion.Text.Count(char.IsAsciiDigit));
        Problem[] problems = [new("1+1=", "2"), new("2+2=", "4")];
        var sft = new SftOptions
        {
            Steps = 3,
            BatchSize = 2,
            LearningRate = 1e-2,
        };
        var dpo = new LlamaRoundsOptions().Preference with { Steps = 3, BatchSize = 2, LearningRate = 1e-3 };
        using var model = Toy.Model();
        var recipe = new LlamaRounds(
            model,
            Toy.Tokenizer,
            reward,
            new LlamaRoundsOptions
            {
                Rounds = 1,
                Draws = draws,
                Supervised = sft,
                Preference = dpo,
            }
        );
        await foreach (var _ in recipe.RunAsync(Demonstrations, problems)) { }

        using var first = Toy.Model();
        var (best, pairs) = await new JudgedDraws(first, Toy.Tokenizer, reward).DrawAsync(problems, draws, 0, default);
        Assert.NotEmpty(pairs);
        using (var trainer = new SftTrainer(first, Toy.Tokenizer, sft))
            _ = trainer.Run([.. Demonstrations, .. best]).Last();
        using Decoder one = first.Copy(),
            two = first.Copy();
        foreach (var (run, seed) in new[] { (one, 0UL), (two, 1UL) })
        {
            using var trainer = new DpoTrainer(run, Toy.Tokenizer, ReferencePolicy.Of(first), dpo with { Seed = seed });
            _ = trainer.Run(pairs).Last();
        }
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        foreach (var ((name, now), (a, b)) in model.named_parameters().Zip(one.parameters().Zip(two.parameters())))
            Assert.True((now - (a + b) / 2).abs().max().ToDouble() < 1e-7, name);
    }

    // Every stage by hand, with the trainer that exists.
    [Fact]
    public async Task R1_IsItsTrainersInARow()
    {
        var accuracy = Reward.Of("digits", completion => completion.Text.Count(char.IsAsciiDigit));
        var learnt = Reward.Of("length", completion => completion.Text.Length);
        Problem[] problems = [new("1+1=", "2"), new("2+2=", "4")];
        var sft = new SftOptions
        {
            Steps = 3,
            BatchSize = 2,
            LearningRate = 1e-2,
        };
        var grpo = RlaifOptions.Reinforce with
        {
            Steps = 2,
            BatchSize = 2,
            GroupSize = 4,
            LearningRate = 1e-2,
            Sampling = new SamplingOptions { MaxNewTokens = 3 },
        };
        using Decoder model = Toy.Model(),
            student = Toy.Model(seed: 3);
        var options = new R1PipelineOptions
        {
            ColdStart = sft,
            Reasoning = grpo,
            Rejection = new SelfTrainingOptions { Training = sft, Sampling = grpo.Sampling },
            Alignment = grpo with { Seed = 7 },
            AlignmentReward = learnt,
            Student = student,
            Distillation = sft with { Seed = 8 },
        };
        var stages = new List<string>();
        await foreach (var report in new R1Pipeline(model, Toy.Tokenizer, accuracy, options).RunAsync(Demonstrations, problems))
            stages.Add(report.Stage);
        Assert.Equal(["cold-start", "reasoning", "rejection", "alignment", "distillation"], stages.Distinct());

        using Decoder drawing = Toy.Model(),
            policy = Toy.Model(),
            small = Toy.Model(seed: 3);
        Supervise(drawing, sft, Demonstrations);
        await ReinforceAsync(drawing, grpo, accuracy);
        var kept = await new SelfTraining(
            drawing,
            Toy.Tokenizer,
            accuracy,
            options.Rejection with
            {
                Demonstrations = Demonstrations,
            }
        ).CollectAsync(problems);
        Assert.NotEmpty(kept);
        Supervise(policy, sft, [.. Demonstrations, .. kept]);
        await ReinforceAsync(policy, options.Alignment, learnt);
        Supervise(small, options.Distillation, [.. Demonstrations, .. kept]);
        Assert.Equal(Toy.Bytes(policy), Toy.Bytes(model));
        Assert.Equal(Toy.Bytes(small), Toy.Bytes(student));

        static void Supervise(Decoder model, SftOptions options, IReadOnlyList<Demonstration> data)
        {
            using var trainer = new SftTrainer(model, Toy.Tokenizer, options);
            _ = trainer.Run(data).Last();
        }
        async Task ReinforceAsync(Decoder model, GrpoOptions options, IReward reward)
        {
            using var frozen = model.Copy();
            using var trainer = new GrpoTrainer(model, Toy.Tokenizer, reward, options with { Reference = ReferencePolicy.Of(frozen) });
            await foreach (var _ in trainer.RunAsync(problems)) { }
        }
    }

    [Fact]
    public void R1_RefusesAStudentWithoutData()
    {
        using Decoder model = Toy.Model(),
            student = Toy.Model();
        var error = Assert.Throws<ArgumentException>(() =>
            new R1Pipeline(model, Toy.Tokenizer, Reward.Of("any", _ => 1), new R1PipelineOptions { Student = student, Rejection = null })
        );
        Assert.Equal("options", error.ParamName);
    }
}
