using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.Preference.Online;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using PostTrain.Tests.Training;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Preference;

[Collection("Sequential")]
public sealed class OnlineDpoTrainerTests
{
    private static readonly Problem[] Problems = [new("0="), new("1+1="), new("2="), new("7=")];

    // Every letter a is one more.
    private static readonly IReward Letters = Reward.Of("letters", completion => completion.Text.Count(letter => letter == 'a'));

    internal static string[] Names { get; } = ["dpo", "dpo-four", "ipo", "xpo", "nash-md"];

    public static TheoryData<string> Methods => [.. Names];

    [Theory]
    [MemberData(nameof(Methods))]
    public async Task Run_EarnsMore(string name)
    {
        using var model = Toy.Model();
        var reports = await Train(name, model, steps: 40);
        double first = reports[..10].Average(report => report.Metrics["reward/mean"]),
            last = reports[^10..].Average(report => report.Metrics["reward/mean"]);
        Assert.True(last > first + 0.5, $"the reward went from {first} to {last}");
        Assert.Equal(0, reports[0].Metrics["kl"], 1e-4);
    }

    // While policy and reference agree every margin is 0: log 2, (0 − 1/(2β))² = 25, and for XPO the mean log-prob of the reference's
    // completions besides.
    [Theory]
    [InlineData("dpo", 0.69314718055994529)]
    [InlineData("dpo-four", 0.69314718055994529)]
    [InlineData("ipo", 25)]
    public async Task FirstStep_PolicyIsTheReference_HasTheKnownLoss(string name, double loss)
    {
        using var model = Toy.Model(type: ScalarType.Float64);
        var report = (await Train(name, model, steps: 1))[0];
        Assert.Equal(loss, report.Loss, 1e-12);
        Assert.Equal(0, report.Metrics["implicit_reward/margin"], 1e-12);
    }

    // −log σ(β·margin), written as a method of one's own, is online DPO.
    [Fact]
    public async Task OwnMethod_WithTheFormulaOfDpo_TrainsAsDpo()
    {
        double[] seen = [0, 0];
        var own = OnlineMethod.Of(
            "own",
            inputs =>
            {
                seen = [seen[0] + 1, (inputs.ChosenRewards - inputs.RejectedRewards).min().ToDouble()];
                return -nn.functional.logsigmoid(inputs.Scores.Difference() * inputs.Beta);
            }
        );
        var runs = new List<(double[] Losses, double[] Weights)>();
        foreach (var method in new[] { OnlineMethod.Dpo, own })
        {
            using var model = Toy.Model(type: ScalarType.Float64);
            using var reference = Toy.Model(type: ScalarType.Float64);
            using var trainer = new OnlineDpoTrainer(
                model,
                Toy.Tokenizer,
                Letters,
                Options("dpo", new TrainerRun(4)) with
                {
                    Method = method,
                    Reference = ReferencePolicy.Of(reference),
                }
            );
            var losses = new List<double>();
            await foreach (var report in trainer.RunAsync(Problems))
                losses.Add(report.Loss);
            runs.Add(([.. losses], [.. model.parameters().SelectMany(parameter => parameter.detach().data<double>())]));
        }
        Assert.NotEqual(runs[0].Losses[0], runs[0].Losses[^1]);
        Assert.All(runs[0].Losses.Zip(runs[1].Losses), pair => Assert.Equal(pair.First, pair.Second, 1e-12));
        Assert.All(runs[0].Weights.Zip(runs[1].Weights), pair => Assert.Equal(pair.First, pair.Second, 1e-12));
        // The better completion is the chosen one, and the function was asked.
        Assert.True(seen[0] >= 1 && seen[1] > 0, $"asked {seen[0]} times, least difference of rewards {seen[1]}");
    }

    [Fact]
    public async Task FirstStep_Xpo_AddsTheReferencesLogProbs()
    {
        using var model = Toy.Model(type: ScalarType.Float64);
        List<Completion> seen = [];
        var reward = Reward.Of(
            "recorded",
            completion =>
            {
                seen.Add(completion);
                return seen.Count;
            }
        );
        using var trainer = new OnlineDpoTrainer(
            model,
            Toy.Tokenizer,
            reward,
            Options("xpo", new TrainerRun(1)) with
            {
                Method = OnlineMethod.Xpo(0.5),
                Reference = ReferencePolicy.Of(model),
            }
        );
        using var before = Toy.Model(type: ScalarType.Float64);
        var report = await trainer.StepAsync(Problems);
        // Of each pair the second is the reference's; its stop token belongs to it.
        double exploration = seen.Where((_, i) => i % 2 == 1).Average(completion => LogProb(before, completion));
        Assert.Equal(Math.Log(2) + 0.5 * exploration, report.Loss, 1e-10);
    }

    [Fact]
    public async Task Ties_HaveNoSignal()
    {
        using var model = Toy.Model();
        var before = Toy.Bytes(model);
        using var trainer = new OnlineDpoTrainer(
            model,
            Toy.Tokenizer,
            Reward.Of("same", _ => 1),
            (Options("dpo", new TrainerRun(1))) with
            {
                Reference = ReferencePolicy.Of(model),
            }
        );
        var report = await trainer.StepAsync(Problems);
        Assert.Equal(0, report.Loss);
        Assert.Equal(0, report.Metrics["grad_norm"]);
        Assert.Equal(1, report.Metrics["reward/zero_groups"]);
        Assert.Equal(before, Toy.Bytes(model));
    }

    // Where only one prompt has a winner, the others' ties must not water its loss down: the gradient is that of a batch of this prompt
    // alone.
    [Fact]
    public void Duels_AreTheGroupsBestAndWorst_WithoutTies()
    {
        var duels = OnlinePair.Of([1, 1, 1, 0, 3, 2, 3, 5, 5, 5, 5, 5], 4, OnlineMethod.Dpo);
        Assert.Equal([(0, 3, 1), (7, 5, 1)], duels.Select(duel => (duel.Chosen, duel.Rejected, (int)duel.Weight)));
        Assert.Equal(1 / (1 + Math.Exp(-1)), duels[0].WinProbability, 1e-15);
        Assert.Equal(0, Assert.Single(OnlinePair.Of([2, 2], 2, OnlineMethod.Dpo)).Weight);
        // Nash-MD's first is the policy's, better or not.
        Assert.Equal(1 / (1 + Math.Exp(2)), Assert.Single(OnlinePair.Of([0, 2], 2, OnlineMethod.NashMd())).WinProbability, 1e-15);
    }

    // With a = 1 the opponent is the reference, whose favourite token is not the policy's.
    [Theory]
    [InlineData(0)]
    [InlineData(0.5)]
    [InlineData(1)]
    public async Task NashMd_OpponentIsTheMixture(double coefficient)
    {
        using var model = Toy.Model(type: ScalarType.Float64);
        using var reference = Toy.Model(seed: 4, type: ScalarType.Float64);
        List<Completion> seen = [];
        var reward = Reward.Of(
            "recorded",
            completion =>
            {
                seen.Add(completion);
                return 0;
            }
        );
        var options = Options("nash-md", new TrainerRun(1)) with
        {
            Method = OnlineMethod.NashMd(coefficient),
            Sampling = Options("nash-md", new TrainerRun(1)).Sampling with { Temperature = 1e-4 },
        };
        int[] prompt = Toy.Tokenizer.Encode("0=");
        var mixed = Toy.LogProbs(model, prompt)[^1]
            .Zip(Toy.LogProbs(reference, prompt)[^1], (p, q) => (1 - coefficient) * p + coefficient * q)
            .ToArray();
        mixed[Toy.Tokenizer.PaddingId] = double.NegativeInfinity;
        using var trainer = new OnlineDpoTrainer(model, Toy.Tokenizer, reward, options with { Reference = ReferencePolicy.Of(reference) });
        await trainer.StepAsync([Problems[0]]);
        // At this temperature the likeliest token is as good as certain.
        Assert.Equal(Array.IndexOf(mixed, mixed.Max()), seen[1].Tokens[0]);
    }

    [Fact]
    public async Task Run_LeaksNothing_AndTheReferenceKeepsItsBytes()
    {
        using var reference = Toy.Model();
        var before = Toy.Bytes(reference);
        foreach (var name in Methods)
        {
            using var model = Toy.Model();
            List<long> alive = [];
            using var trainer = new OnlineDpoTrainer(
                model,
                Toy.Tokenizer,
                Letters,
                (Options(name, new TrainerRun(6))) with
                {
                    Reference = ReferencePolicy.Of(reference),
                }
            );
            await foreach (var report in trainer.RunAsync(Problems))
                alive.Add(DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
            Assert.Single(alive[2..].Distinct());
        }
        Assert.Equal(before, Toy.Bytes(reference));
    }

    [Fact]
    public void Refusals_NameWhatWasGiven()
    {
        using var model = Toy.Model();
        void Refused(OnlineDpoOptions options) =>
            Assert.Throws<ArgumentOutOfRangeException>(() =>
                new OnlineDpoTrainer(model, Toy.Tokenizer, Letters, options with { Reference = ReferencePolicy.Of(model) })
            );
        Refused(new OnlineDpoOptions { GroupSize = 1 });
        Refused(new OnlineDpoOptions { GroupSize = 4, Method = OnlineMethod.Xpo() });
        Refused(new OnlineDpoOptions { UpdatesPerBatch = 2, Method = OnlineMethod.NashMd() });
        Refused(new OnlineDpoOptions { Objective = new DpoObjective { Beta = 0 } });
        Assert.Throws<ArgumentOutOfRangeException>(() => OnlineMethod.NashMd(1.5));
    }

    private static double LogProb(CausalLm model, Completion completion)
    {
        var prompt = Toy.Tokenizer.Encode(completion.Problem.Prompt);
        var logProbs = Toy.LogProbs(model, [.. prompt, .. completion.Tokens]);
        return completion
            .Tokens.Select(
                (token, t) => logProbs[prompt.Length - 1 + t][token] - Log1mExp(logProbs[prompt.Length - 1 + t][Toy.Tokenizer.PaddingId])
            )
            .Sum();
    }

    // The padding is never drawn: what is left of each distribution is normalised again.
    private static double Log1mExp(double logProbability) => Math.Log(1 - Math.Exp(logProbability));

    private static OnlineDpoOptions Options(string name, TrainerRun run) =>
        new()
        {
            Steps = run.Steps,
            BatchSize = 4,
            GroupSize = name == "dpo-four" ? 4 : 2,
            MicroBatchSize = run.MicroBatch,
            Distributed = run.Distributed,
            Optimizer = run.Optimizer,
            LearningRate = 1e-2,
            CheckpointDirectory = run.Directory,
            CheckpointEvery = TrainerRun.CheckpointEvery,
            Sampling = new SamplingOptions { MaxNewTokens = 4, SuppressedTokens = [Toy.Tokenizer.PaddingId] },
            Objective = name == "ipo" ? new DpoObjective { Loss = DpoLoss.Ipo() } : new DpoObjective(),
            Method = name switch
            {
                "xpo" => OnlineMethod.Xpo(1e-3),
                "nash-md" => OnlineMethod.NashMd(),
                _ => OnlineMethod.Dpo,
            },
        };

    private static Task<StepReport[]> Train(string name, CausalLm model, int steps) => Train(name, model, new TrainerRun(steps));

    internal static async Task<StepReport[]> Train(string name, CausalLm model, TrainerRun run)
    {
        using var reference = Toy.Model(type: model.parameters().First().dtype);
        using var trainer = new OnlineDpoTrainer(
            model,
            Toy.Tokenizer,
            Letters,
            (Options(name, run)) with
            {
                Reference = ReferencePolicy.Of(reference),
            }
        );
        if (run.Resume is not null)
            trainer.Resume(run.Resume);
        List<StepReport> reports = [];
        await foreach (var report in trainer.RunAsync(Problems))
            reports.Add(report);
        return [.. reports];
    }
}
