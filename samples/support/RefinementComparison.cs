using System.Diagnostics;
using System.Globalization;
using PostTrain.Data;
using PostTrain.Exact;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Recipes;
using PostTrain.Refinement;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Training;
using PostTrain.Training.Reports;

namespace PostTrain.Samples.Support;

/// <summary>A comparison of refinement methods on some tasks over the same seeds, with its log and report.</summary>
public sealed class RefinementComparison
{
    private const int Examples = 2;

    private readonly List<(RefinementTask Task, IReadOnlyList<RefinementResult> Results)> tasks = [];

    /// <summary>The comparison of the methods.</summary>
    public RefinementTable Table { get; } = new("seeds");

    /// <summary>Trains and measures a task for each seed, starting with the run's.</summary>
    public async Task AddAsync(SampleRun run, RefinementTask task, RefinementSettings settings, int seeds)
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(task);
        var results = new List<RefinementResult>();
        for (ulong seed = run.Seed; results.Count < seeds; seed++)
        {
            var result = await RefinementTrial.RunAsync(run, task, settings, seed).ConfigureAwait(false);
            run.Log(RefinementTable.Record((long)seed, result.Accuracy, $"{task.Key}/seed{seed}/held_out/"));
            Console.WriteLine(
                $"{task.Name}, seed {seed}: sampled "
                    + $"{string.Join(", ", result.Stages.Select(stage => $"{stage.Name} {Format.Number(stage.Accuracy.Sampled)}"))}; "
                    + $"{result.Collected} own correct answers kept"
            );
            results.Add(result);
        }
        tasks.Add((task, results));
        Table.Add(task.Name, [.. results.Select(result => result.Accuracy)]);
        if (results.All(result => result.Accuracy.Warmup.Sampled == 0 && result.Collected == 0))
            Console.WriteLine(
                $"{task.Name}: the model is never correct after the warm-up, so there is almost no signal to reinforce: use more "
                    + "warm-up steps, easier records or a better model"
            );
    }

    /// <summary>Adds each task's seeds, curves and answers to a report.</summary>
    public void WriteTo(HtmlReport page)
    {
        ArgumentNullException.ThrowIfNull(page);
        foreach (var (task, results) in tasks)
        {
            page.Table(
                $"Each seed, sampled / greedy: {task.Name}",
                new ReportTable(
                    ["seed", .. results[0].Stages.Select(stage => stage.Name), "own answers kept", "seconds of each"],
                    [
                        .. results.Select(
                            (result, i) =>
                                (string[])
                                    [
                                        (i + 1).ToString(CultureInfo.InvariantCulture),
                                        .. result.Stages.Select(stage =>
                                            $"{Format.Number(stage.Accuracy.Sampled)} / {Format.Number(stage.Accuracy.Greedy)}"
                                        ),
                                        Format.Count(result.Collected),
                                        string.Join(" / ", result.Stages.Select(stage => Format.Number(stage.Time.TotalSeconds, 0))),
                                    ]
                        ),
                    ]
                )
            );
            page.Curves(
                $"Training: {task.Name}",
                new CurveChart("Reward while reinforcing", "", Series(results, "ReFT", "reward/mean")),
                new CurveChart("KL divergence from the warm-up", "nats per token", Series(results, "ReFT", "kl")),
                new CurveChart("Loss of SFT, continued", "nats per token", Series(results, "SFT", "loss")),
                new CurveChart("Loss of self-training", "nats per token", Series(results, "self-training", "loss"))
            );
            var (before, after) = (results[0].Stages[1], results[0].Stages[^1]);
            page.Completions(
                $"Most likely answers of the first seed, after SFT and after ReFT: {task.Name}",
                [
                    .. before
                        .Answers.Zip(after.Answers)
                        .Take(Examples)
                        .Select(pair => new CompletionPair(
                            pair.First.Problem.Prompt,
                            pair.First.Text,
                            pair.Second.Text,
                            Judged(before, pair.First),
                            Judged(after, pair.Second)
                        )),
                ]
            );
        }
    }

    private static CurveSeries[] Series(IReadOnlyList<RefinementResult> results, string stage, string metric) =>
        [.. results.Select((result, i) => CurveSeries.Of(result.Stages.Single(item => item.Name == stage).Reports, metric, $"{i + 1}"))];

    private static Verdict Judged(RefinementStage stage, Completion answer) =>
        stage.Right.Contains(answer) ? new Verdict(true, "right") : new Verdict(false, "wrong");
}

/// <summary>Steps and learning rates of the kinds of refinement training. All take as many updates of as many completions after the
/// warm-up.</summary>
public sealed record RefinementSettings
{
    /// <summary>Steps of the supervised warm-up.</summary>
    public required int WarmupSteps { get; init; }

    /// <summary>Steps of PPO.</summary>
    public required int Steps { get; init; }

    /// <summary>Questions in a step of PPO.</summary>
    public required int BatchSize { get; init; }

    /// <summary>Completions of a question in a step.</summary>
    public required int GroupSize { get; init; }

    /// <summary>Of the warm-up, of supervised fine-tuning after it and of self-training.</summary>
    public required double SupervisedRate { get; init; }

    /// <summary>PPO's.</summary>
    public required double Rate { get; init; }

    /// <summary>β of the divergence from the warm-up.</summary>
    public required double Kl { get; init; }

    /// <summary>Completions of a question that self-training chooses from.</summary>
    public required int Samples { get; init; }

    /// <summary>Most tokens of a completion.</summary>
    public required int Tokens { get; init; }

    internal SftOptions Warmup =>
        new()
        {
            Steps = WarmupSteps,
            BatchSize = BatchSize,
            LearningRate = SupervisedRate,
        };

    internal SftOptions Continued =>
        new()
        {
            Steps = Steps * Reinforcement.UpdatesPerBatch,
            BatchSize = BatchSize * GroupSize,
            LearningRate = SupervisedRate,
            Schedule = LearningRateSchedule.Linear,
        };

    internal PpoOptions Reinforcement =>
        ReftOptions.Paper with
        {
            Steps = Steps,
            BatchSize = BatchSize,
            GroupSize = GroupSize,
            LearningRate = Rate,
            Schedule = LearningRateSchedule.Linear,
            Kl = KlControl.Fixed(Kl),
            // The values begin as 0, and on a shared body their first errors would move the policy.
            CriticWarmupSteps = Math.Min(8, Steps / 5),
            Sampling = Sampling,
        };

    internal SelfTrainingOptions SelfTraining => new() { SamplesPerProblem = Samples, Sampling = Sampling };

    private SamplingOptions Sampling => new() { MaxNewTokens = Tokens };
}

/// <summary>Refines one model in three ways from the same supervised warm-up on the same questions: more supervised fine-tuning,
/// self-training, reinforcement.</summary>
public static class RefinementTrial
{
    private const int DrawsOfAQuestion = 4;

    /// <summary>One seed: trains, and measures each on the held-out questions.</summary>
    public static async Task<RefinementResult> RunAsync(SampleRun run, RefinementTask task, RefinementSettings settings, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(task);
        ArgumentNullException.ThrowIfNull(settings);
        var data = task.Data(seed);
        string title = $"{task.Name}, seed {seed}",
            part = $"{task.Key}/seed{seed}",
            folder = run.PathOf("warm-up");

        // The warm-up is saved where reinforced fine-tuning asks for its reference; the other ways begin from there too.
        Tuning? frozen = null;
        try
        {
            var fresh = task.Fresh();
            using var model = fresh.Model;
            using var tuning = fresh;
            var options = new ReftOptions
            {
                Warmup = settings.Warmup with { Seed = seed },
                Reinforcement = settings.Reinforcement with { Seed = seed },
                Reference = Reference,
            };
            await using var training = new ReinforcedFineTuning(tuning.Model, task.Tokenizer, task.Reward, options)
                .RunAsync(data.Demonstrations, data.Problems, cancellation: run.Cancellation)
                .GetAsyncEnumerator();
            bool goesOn = await training.MoveNextAsync().ConfigureAwait(false);
            var warmup = await run.TrainAsync(
                    $"{title}: warm-up",
                    options.Warmup.Steps,
                    Stage(ReinforcedFineTuning.Warmup),
                    $"{part}/warmup"
                )
                .ConfigureAwait(false);
            var reinforced = await run.TrainAsync(
                    $"{title}: ReFT",
                    options.Reinforcement.Steps,
                    Stage(ReinforcedFineTuning.Reinforcement),
                    $"{part}/reft"
                )
                .ConfigureAwait(false);
            var supervised = await ContinueAsync("SFT", data.Demonstrations, TimeSpan.Zero).ConfigureAwait(false);
            var watch = Stopwatch.StartNew();
            var own = await new SelfTraining(
                frozen!.Model,
                task.Tokenizer,
                task.Reward,
                settings.SelfTraining with
                {
                    Seed = seed,
                    Demonstrations = data.Demonstrations,
                }
            )
                .CollectAsync(data.Problems, run.Cancellation)
                .ConfigureAwait(false);
            var selfTrained = await ContinueAsync("self-training", [.. data.Demonstrations, .. own], watch.Elapsed).ConfigureAwait(false);
            RefinementStage[] stages =
            [
                await MeasuredAsync("warm-up", warmup, frozen, TimeSpan.Zero).ConfigureAwait(false),
                supervised,
                selfTrained,
                await MeasuredAsync("ReFT", reinforced, tuning, TimeSpan.Zero).ConfigureAwait(false),
            ];
            return new RefinementResult(
                new StrategyOutcome(stages[0].Accuracy, stages[1].Accuracy, stages[2].Accuracy, stages[3].Accuracy),
                own.Count,
                stages
            );

            async IAsyncEnumerable<StepReport> Stage(string stage)
            {
                for (; goesOn && training.Current.Stage == stage; goesOn = await training.MoveNextAsync().ConfigureAwait(false))
                    yield return training.Current.Step;
            }

            ReferencePolicy Reference(CausalLm policy)
            {
                if (tuning.Adapters is { } adapters)
                    adapters.Save(folder);
                else
                    Pretrained.Save(policy, folder);
                frozen = task.Load(folder);
                return ReferencePolicy.Of(frozen.Model);
            }
        }
        finally
        {
            frozen?.Dispose();
            frozen?.Model.Dispose();
        }

        async Task<RefinementStage> ContinueAsync(string name, IReadOnlyList<Demonstration> demonstrations, TimeSpan spent)
        {
            var loaded = task.Load(folder);
            using var model = loaded.Model;
            using var tuning = loaded;
            using var trainer = new SftTrainer(model, task.Tokenizer, settings.Continued with { Seed = seed });
            var reports = run.Train(
                $"{title}: {name}",
                settings.Continued.Steps,
                trainer.Run(demonstrations, cancellation: run.Cancellation),
                $"{part}/{name.Replace('-', '_').ToLowerInvariant()}"
            );
            return await MeasuredAsync(name, reports, tuning, spent).ConfigureAwait(false);
        }

        async Task<RefinementStage> MeasuredAsync(string name, IReadOnlyList<StepReport> reports, Tuning tuning, TimeSpan spent)
        {
            var sampling = settings.Reinforcement.Sampling;
            Problem[] asked = [.. data.HeldOut.SelectMany(problem => Enumerable.Repeat(problem, DrawsOfAQuestion))];
            var sampled = Sampled.Completions(tuning.Model, task.Tokenizer, asked, sampling, seed);
            var answers = Sampled.Completions(tuning.Model, task.Tokenizer, data.HeldOut, sampling with { Temperature = 0 }, seed);
            var (drawn, likeliest) = (await RightAsync(sampled).ConfigureAwait(false), await RightAsync(answers).ConfigureAwait(false));
            return new RefinementStage(
                name,
                reports,
                spent + reports[^1].Elapsed,
                new StrategyAccuracy((double)drawn.Count / sampled.Count, (double)likeliest.Count / answers.Count),
                answers,
                likeliest
            );
        }

        async Task<HashSet<Completion>> RightAsync(IReadOnlyList<Completion> completions)
        {
            var scores = await Scoring
                .ScoreCheckedAsync(task.Reward, completions, RewardContext.None, run.Cancellation)
                .ConfigureAwait(false);
            // Two draws may be alike.
            return completions.Where((_, i) => scores.Values[i] >= 1).ToHashSet<Completion>(ReferenceEqualityComparer.Instance);
        }
    }
}

/// <summary>The result of the refinement methods for one seed.</summary>
/// <param name="Accuracy">Accuracy on held-out questions.</param>
/// <param name="Collected">Number of the model's own correct answers that self-training adds to the demonstrations.</param>
/// <param name="Stages">The trained stages: the warm-up, then SFT, self-training and ReFT from it.</param>
public sealed record RefinementResult(StrategyOutcome Accuracy, int Collected, IReadOnlyList<RefinementStage> Stages);

/// <summary>A training of a <see cref="RefinementResult"/>.</summary>
/// <param name="Name">As in tables.</param>
/// <param name="Reports">Its steps.</param>
/// <param name="Time">Of training, and of drawing what it is trained on.</param>
/// <param name="Accuracy">On held-out questions.</param>
/// <param name="Answers">The likeliest answers to held-out questions.</param>
/// <param name="Right">Those of them that are right.</param>
public sealed record RefinementStage(
    string Name,
    IReadOnlyList<StepReport> Reports,
    TimeSpan Time,
    StrategyAccuracy Accuracy,
    IReadOnlyList<Completion> Answers,
    IReadOnlySet<Completion> Right
);
