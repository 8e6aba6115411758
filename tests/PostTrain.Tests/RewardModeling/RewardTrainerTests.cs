using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.RewardModeling;
using PostTrain.RewardModeling.Losses;
using PostTrain.Rewards;
using PostTrain.Rewards.Steps;
using PostTrain.Tests.Support;
using PostTrain.Tests.Training;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.RewardModeling;

[Collection("Sequential")]
public sealed class RewardTrainerTests
{
    private static readonly PreferencePair[] Pairs =
    [
        new("0=", "ab", "b"),
        new("1+1=", "a", "bcd"),
        new("2=", "aab", "ba"),
        new("7=", "", "c"),
    ];
    private static readonly StepwiseExample[] Solutions =
    [
        new("1+1=", ["a", "b"], [1, 0]),
        new("2=", ["ab", "ba", "c"], [1, 1, 0]),
        new("3=", ["d"], [0]),
        new("0=", ["a", "a"], [1, 1]),
    ];

    // The tokenizer of the tests has no line feed.
    private static readonly StepEncodingOptions Layout = new() { Separator = "+" };

    internal static string[] Names { get; } = ["plain", "margin", "steps", "classes"];

    public static TheoryData<string> Trainers => [.. Names];

    [Theory]
    [MemberData(nameof(Trainers))]
    public void Run_Learns(string name)
    {
        using var model = Model(name);
        var reports = Train(name, model, steps: 24);
        Assert.True(reports[^1].Loss < 0.5 * reports[0].Loss, $"the loss went from {reports[0].Loss} to {reports[^1].Loss}");
        Assert.True(reports[^1].Metrics["reward/chosen"] > reports[^1].Metrics["reward/rejected"]);
        Assert.Equal(1, reports[^1].Metrics[name is "plain" or "margin" ? "reward/accuracy" : "accuracy"]);
    }

    // The loss −p·log σ(d) − (1−p)·log σ(−d) is least at d = log(p/(1−p)); smoothing by ε makes p(1−2ε) + ε of p.
    [Theory]
    [InlineData(0.75, 0, 1.0986122886681098)]
    [InlineData(0.2, 0, -1.3862943611198906)]
    [InlineData(1, 0.2, 1.3862943611198906)]
    [InlineData(0.75, 0.1, 0.8472978603872034)]
    public void Run_SoftLabels_EndsAtTheirLogOdds(double probability, double smoothing, double margin)
    {
        using var model = SequenceClassifier.For(Toy.Model(type: ScalarType.Float64));
        using var trainer = new RewardTrainer(
            model,
            Toy.Tokenizer,
            new RewardOptions
            {
                Steps = 200,
                BatchSize = 1,
                LearningRate = 1e-2,
                Schedule = LearningRateSchedule.Linear,
                LabelSmoothing = smoothing,
            }
        );
        PreferencePair[] pairs = [new("0=", "ab", "b") { Probability = probability }];
        _ = trainer.Run(pairs).Last();
        Assert.Equal(margin, trainer.Evaluate(pairs)["eval/reward/margin"], 1e-3);
    }

    [Theory]
    [InlineData(-0.1)]
    [InlineData(1.1)]
    [InlineData(double.NaN)]
    public void Run_LabelOutsideItsRange_IsNamed(double probability)
    {
        using var model = SequenceClassifier.For(Toy.Model());
        using var trainer = new RewardTrainer(model, Toy.Tokenizer, new RewardOptions());
        var error = Assert.Throws<ArgumentException>(() => trainer.Run([Pairs[0], Pairs[1] with { Probability = probability }]).First());
        Assert.Contains("[1].Probability is ", error.Message, StringComparison.Ordinal);
    }

    // A head of zeros says 0 of everything: −log σ(0 − μ) = log(1 + e^μ), −log ½ a step or a class of two.
    [Theory]
    [InlineData("plain", 0.69314718055994529)]
    [InlineData("margin", 1.3132616875182228)]
    [InlineData("steps", 0.69314718055994529)]
    [InlineData("classes", 0.69314718055994529)]
    public void FirstStep_ZeroHead_HasTheKnownLoss(string name, double loss)
    {
        using var model = Model(name, ScalarType.Float64, start: 0);
        Assert.Equal(loss, Train(name, model, steps: 1)[0].Loss, 1e-12);
    }

    [Fact]
    public void Evaluate_Pairs_IsTheFormulaOfTheScoresAtTheLastTokens()
    {
        using var model = Model("plain", ScalarType.Float64, start: 1);
        var objective = new BradleyTerryObjective { CenteringCoefficient = 0.1, LabelSmoothing = 0.2 };
        using var trainer = new RewardTrainer(
            model,
            Toy.Tokenizer,
            new RewardOptions
            {
                CenteringCoefficient = objective.CenteringCoefficient,
                LabelSmoothing = objective.LabelSmoothing,
                Margin = pair => pair.Chosen.Length,
            }
        );
        double Loss(PreferencePair pair)
        {
            var (w, l) = (Score(model, pair.Prompt + pair.Chosen, end: true), Score(model, pair.Prompt + pair.Rejected, end: true));
            double d = w - l - pair.Chosen.Length;
            return 0.8 * Math.Log(1 + Math.Exp(-d)) + 0.2 * Math.Log(1 + Math.Exp(d)) + 0.1 * (w + l) * (w + l);
        }
        var metrics = trainer.Evaluate(Pairs);
        Assert.Equal(Pairs.Average(Loss), metrics["eval/loss"], 1e-12);
        Assert.Equal(Pairs.Average(pair => Score(model, pair.Prompt + pair.Chosen, end: true)), metrics["eval/reward/chosen"], 1e-12);
    }

    [Fact]
    public async Task LearnedOutcome_IsTheScore_WhateverTheBatch()
    {
        using var model = Model("plain", ScalarType.Float64, start: 1);
        model.train();
        Completion[] completions =
        [
            .. Pairs.Select((pair, i) => new Completion(new Problem(pair.Prompt), pair.Rejected, [], Finished: i != 1)),
        ];
        var reward = LearnedRewards.Outcome(model, Toy.Tokenizer, new LearnedRewardOptions { BatchSize = 3 });
        _ = await reward.ScoreAsync(completions, RewardContext.None);
        long before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        var scores = (await reward.ScoreAsync(completions, RewardContext.None)).Values;
        Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
        Assert.True(model.training);
        for (int i = 0; i < scores.Length; i++)
            Assert.Equal(Score(model, Pairs[i].Prompt + Pairs[i].Rejected, end: i != 1), scores[i], 1e-12);

        var tooLong = completions[0] with { Text = new string('a', 30) };
        var error = await Assert.ThrowsAsync<InvalidOperationException>(async () =>
            await LearnedRewards.Outcome(model, Toy.Tokenizer).ScoreAsync([completions[1], tooLong], RewardContext.None)
        );
        Assert.Contains("completion 1 has 33 tokens", error.Message, StringComparison.Ordinal);
        var cutting = LearnedRewards.Outcome(model, Toy.Tokenizer, new LearnedRewardOptions { CutsLonger = true });
        var cut = (await cutting.ScoreAsync([completions[1], tooLong], RewardContext.None)).Values;
        Assert.Equal(scores[1], cut[0], 1e-12);
        Assert.Equal(Score(model, (tooLong.Problem.Prompt + tooLong.Text)[..model.Body.ContextLength], end: false), cut[1], 1e-12);
    }

    // Each step's probability by a pass over nothing but what stands before its end: later steps and other rows change nothing.
    [Theory]
    [InlineData("steps")]
    [InlineData("classes")]
    public async Task LearnedSteps_AreTheProbabilitiesAtTheStepsEnds(string name)
    {
        using var model = Model(name, ScalarType.Float64, start: 1);
        SteppedCompletion[] completions =
        [
            .. new[] { "ab+c", "", "d+e+f+aaaaa" }.Select(text =>
                SteppedCompletion.Of(new Completion(new Problem("1="), text, [], true), "+")
            ),
        ];
        var scores = await LearnedRewards
            .Steps(model, Toy.Tokenizer, new LearnedRewardOptions { Encoding = Layout, BatchSize = 2 })
            .ScoreStepsAsync(completions, RewardContext.None);
        Assert.Equal([2, 0, 4], scores.Select(values => values.Length));
        Assert.Equal(Probability("1=ab+c+"), scores[0][1], 1e-12);
        Assert.Equal(Probability("1=ab+"), scores[0][0], 1e-12);
        Assert.Equal(Probability("1=d+e+"), scores[2][1], 1e-12);

        using var trained = Model(name);
        _ = Train(name, trained, steps: 24);
        var reward = StepReward.Aggregated(
            LearnedRewards.Steps(trained, Toy.Tokenizer, new LearnedRewardOptions { Encoding = Layout }),
            StepAggregation.Minimum,
            "+"
        );
        var values = (await reward.ScoreAsync([Judged("0=", "a+a"), Judged("2=", "ab+ba+c")], RewardContext.None)).Values;
        Assert.True(values[0] > 0.5 && values[1] < 0.5, $"the right solution scores {values[0]}, the wrong one {values[1]}");

        static Completion Judged(string prompt, string text) => new(new Problem(prompt), text, [], true);

        double Probability(string text)
        {
            using var scope = NewDisposeScope();
            using var mode = no_grad();
            var z = Numbers.Values(model.TokenScores(Ids(text)))[^model.Labels..];
            return 1 / (1 + Math.Exp(z.Length == 1 ? -z[0] : z[0] - z[1]));
        }
    }

    [Fact]
    public async Task LearnedSteps_BeyondTheContext_AreNotApplicable()
    {
        using var model = Model("steps");
        var completion = SteppedCompletion.Of(new Completion(new Problem("1="), "ab+cccccccccccc+d", [], true), "+");
        var scores = (
            await LearnedRewards
                .Steps(model, Toy.Tokenizer, new LearnedRewardOptions { Encoding = Layout })
                .ScoreStepsAsync([completion], RewardContext.None)
        )[0];
        Assert.Equal([true, false, false], scores.Select(double.IsFinite));
        Assert.Equal([false, true, true], scores.Select(double.IsNaN));
    }

    [Fact]
    public void Run_LeaksNothing()
    {
        foreach (var name in Trainers)
        {
            using var model = Model(name);
            var alive = Run(name, model, new TrainerRun(6))
                .Select(_ => DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount)
                .ToArray();
            Assert.Single(alive[2..].Distinct());
        }
    }

    [Fact]
    public void Refusals_NameWhatWasGiven()
    {
        using var model = Model("plain");
        using var two = Model("classes");
        Assert.Contains(
            "model has 2 scores",
            Assert.Throws<ArgumentException>(() => new RewardTrainer(two, Toy.Tokenizer, new RewardOptions())).Message,
            StringComparison.Ordinal
        );
        using var pairs = new RewardTrainer(model, Toy.Tokenizer, new RewardOptions { Margin = _ => double.NaN });
        Assert.Contains(
            "the margin of data[0] is NaN",
            Assert.Throws<ArgumentException>(() => pairs.Run(Pairs)).Message,
            StringComparison.Ordinal
        );
        using var plain = new RewardTrainer(model, Toy.Tokenizer, new RewardOptions());
        var error = Assert.Throws<ArgumentException>(() => plain.Run([Pairs[0], new("0=", "a", new string('b', 40))]));
        Assert.Contains("data[1].Rejected has 43 tokens", error.Message, StringComparison.Ordinal);
        using var steps = new ProcessRewardTrainer(model, Toy.Tokenizer, new ProcessRewardOptions { Encoding = Layout });
        Assert.Contains(
            "data[0] has the label 2, expected 0 to 1",
            Assert.Throws<ArgumentException>(() => steps.Run([new("1=", ["a"], [2])])).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "data[0] has no step",
            Assert.Throws<ArgumentException>(() => steps.Run([new("1=", [], [])])).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "data[0] has 23 tokens",
            Assert.Throws<ArgumentException>(() => steps.Run([new("1=", [new string('a', 20)], [1])])).Message,
            StringComparison.Ordinal
        );
    }

    internal static SequenceClassifier Model(string name, ScalarType type = ScalarType.Float32, double start = 0.02, ulong seed = 1) =>
        SequenceClassifier.For(
            Toy.Model(seed, type),
            new ClassifierOptions
            {
                Labels = name == "classes" ? 2 : 1,
                Bias = name is "steps" or "classes",
                Head = new HeadOptions { StandardDeviation = start, Seed = seed },
            }
        );

    private static Tensor Ids(string text, bool end = false) =>
        tensor(
                (long[])
                    [
                        .. Toy.Tokenizer.Encode(text).Select(id => (long)id),
                        .. end ? [Toy.Tokenizer.EndOfSequenceId!.Value] : Array.Empty<long>(),
                    ]
            )
            .unsqueeze(0);

    private static double Score(SequenceClassifier model, string text, bool end)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        return Numbers.Values(model.TokenScores(Ids(text, end)))[^1];
    }

    internal static StepReport[] Train(string name, SequenceClassifier model, TrainerRun run) => [.. Run(name, model, run)];

    private static StepReport[] Train(string name, SequenceClassifier model, int steps) => Train(name, model, new TrainerRun(steps));

    private static IEnumerable<StepReport> Run(string name, SequenceClassifier model, TrainerRun run)
    {
        if (name is "plain" or "margin")
        {
            var options = new RewardOptions
            {
                Steps = run.Steps,
                BatchSize = 4,
                MicroBatchSize = run.MicroBatch,
                Distributed = run.Distributed,
                Optimizer = run.Optimizer,
                LearningRate = 2e-2,
                CheckpointDirectory = run.Directory,
                CheckpointEvery = TrainerRun.CheckpointEvery,
            };
            return Steps(
                new RewardTrainer(model, Toy.Tokenizer, name == "margin" ? options with { Margin = _ => 1 } : options),
                Pairs,
                run.Resume
            );
        }
        var judged = new ProcessRewardOptions
        {
            Steps = run.Steps,
            BatchSize = 4,
            MicroBatchSize = run.MicroBatch,
            Distributed = run.Distributed,
            Optimizer = run.Optimizer,
            LearningRate = 2e-2,
            CheckpointDirectory = run.Directory,
            CheckpointEvery = TrainerRun.CheckpointEvery,
            Encoding = Layout,
        };
        return Steps(new ProcessRewardTrainer(model, Toy.Tokenizer, judged), Solutions, run.Resume);
    }

    private static IEnumerable<StepReport> Steps<T>(DatasetTrainer<T> trainer, IReadOnlyList<T> data, string? resume)
    {
        using (trainer)
        {
            if (resume is not null)
                trainer.Resume(resume);
            foreach (var report in trainer.Run(data))
                yield return report;
        }
    }
}
