#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// RLHF in three stages: supervised fine-tuning, a reward model from preferences, PPO against it. The learnt reward is watched with the true
// one.
//   dotnet run -c Release samples/experiments/ppo.cs [-- --model DIR --data FILE --steps N --kl 0.05 --output DIR]
// Records: chosen and rejected, texts or messages, with a prompt or an instruction or without: docs/data.md; the chosen side is the
// demonstration too.
using PostTrain.Data;
using PostTrain.Data.Records;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.RewardModeling;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

const int toyProblems = 4000;
var command = new SampleCommand("ppo", "RLHF in three stages; --steps are PPO's.", steps: 60);
var firstSteps = command.Option("--sft-steps", "Steps of supervised fine-tuning.", 40, OptionRange.AtLeast(0));
var rewardSteps = command.Option("--reward-steps", "Steps of the reward model.", 200, OptionRange.AtLeast(1));
var kl = command.Option("--kl", "Weight of the divergence from the first stage's model.", 0.05, OptionRange.AtLeast(0));
var rate = command.Option<double?>(
    "--learning-rate",
    "PPO's; by default what suits the model's width: 3e-4 at 64, less in wider models.",
    null,
    OptionRange.Positive
);
var batch = command.Option<int?>(
    "--batch-size",
    "Prompts in a step of PPO; by default 64 of the toy, 16 of others.",
    null,
    OptionRange.AtLeast(1)
);
var tokens = command.Option("--tokens", "Most tokens of a completion.", 48, OptionRange.AtLeast(1));
var template = command.Option("--template", UserData.TemplateHelp, "alpaca");
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        using var subject = Subject.Load(run);
        int longest = subject.Model.ContextLength;
        var (train, heldOut, demonstrations, asked, problems) = Data();
        Console.WriteLine(
            $"{train.Count} pairs to learn from, {heldOut.Count} held out; {asked.Count} prompts for PPO, {problems.Count} held out"
        );
        var sampling = subject.Sampling(values.GetValue(tokens));
        var stages = new List<(string Name, IReadOnlyList<Completion> Completions)> { ("base", Draw()) };

        IReadOnlyList<StepReport> supervised,
            judging,
            reports;

        // 1. Demonstrations. The toy's teacher slips now and then, so that something is left to learn.
        using (
            var trainer = new SftTrainer(
                subject.Model,
                subject.Tokenizer,
                Common(new SftOptions { LearningRate = subject.Rate(1e-3) }, values.GetValue(firstSteps), 32)
            )
        )
            supervised = run.Train(
                "1. supervised fine-tuning",
                values.GetValue(firstSteps),
                trainer.Run(demonstrations, cancellation: run.Cancellation),
                "sft"
            );
        subject.Save(subject.Model, run.PathOf("sft"));
        stages.Add(("supervised", Draw()));

        // 2. A reward model from preferences, on the supervised model's body.
        using var judge = SequenceClassifier.For(subject.Again(run.PathOf("sft")));
        Proportion ranked;
        using (
            var trainer = new RewardTrainer(
                judge,
                subject.Tokenizer,
                Common(
                    new RewardOptions { LearningRate = subject.Rate(5e-4), CenteringCoefficient = 0.01 },
                    values.GetValue(rewardSteps),
                    32
                )
            )
        )
        {
            judging = run.Train(
                "2. reward model",
                values.GetValue(rewardSteps),
                trainer.Run(train, cancellation: run.Cancellation),
                "reward_model"
            );
            ranked = new Proportion(heldOut.Count(pair => trainer.Evaluate([pair])["eval/reward/accuracy"] > 0.5), heldOut.Count);
        }
        Pretrained.Save(judge, run.PathOf("reward-model"));

        // 3. PPO against the learnt reward, near to the supervised model.
        var reward = LearnedRewards.Outcome(judge, subject.Tokenizer, new LearnedRewardOptions { CutsLonger = true });
        using var frozen = subject.Again(run.PathOf("sft"));
        using var critic = ValueHead.WithOwnBody(subject.Again(run.PathOf("sft")), new HeadOptions { StandardDeviation = 0 });
        var options = Common(
            new PpoOptions
            {
                LearningRate = values.GetValue(rate) ?? subject.Rate(3e-4),
                CompletionObservers = [run.Completions],
                Kl = KlControl.Fixed(values.GetValue(kl)),
                UnfinishedPenalty = 1,
                CriticWarmupSteps = Math.Min(5, run.Steps / 4),
                ValueCoefficient = 0.5,
                Sampling = sampling,
            },
            run.Steps,
            values.GetValue(batch) ?? (subject.IsToy ? 64 : 16)
        );
        using (
            var trainer = new PpoTrainer(
                subject.Model,
                subject.Tokenizer,
                reward,
                options with
                {
                    Critic = critic,
                    Reference = ReferencePolicy.Of(frozen),
                }
            )
        )
            reports = await run.TrainAsync("3. PPO", run.Steps, trainer.RunAsync(asked, cancellation: run.Cancellation), "ppo");
        subject.Save(run);
        stages.Add(("PPO", Draw()));

        var results = new List<(string Name, Estimate Learnt, Proportion Right)>();
        foreach (var (name, completions) in stages)
            results.Add(
                (
                    name,
                    Estimate.Of((await reward.ScoreAsync(completions, RewardContext.None, run.Cancellation)).Values),
                    Measure.Right(completions)
                )
            );
        string[] columns = ["held out, after", "learnt reward", .. subject.IsToy ? ["right answers"] : (string[])[]];
        var table = new ReportTable(
            columns,
            [
                .. results.Select(result =>
                    (string[])[result.Name, result.Learnt.ToString(), .. subject.IsToy ? [result.Right.ToString()] : (string[])[]]
                ),
            ]
        );
        ConsoleTable.Print(table);
        Console.WriteLine($"held-out pairs that the reward model puts in the right order: {ranked}");
        var page = run.Page(
                "RLHF in three stages",
                $"{subject.Name}: supervised fine-tuning, a reward model from {train.Count} pairs, PPO with a KL weight of "
                    + $"{values.GetValue(kl)}."
            )
            .Tiles(RunReport.Tiles(reports))
            .Table("One sampled answer to each held-out prompt", table)
            .Paragraph(
                subject.IsToy
                    ? "The learnt reward is what PPO sees. Where it rises and the share of right answers does not, the "
                        + "policy has found what the reward model overrates."
                    : "The learnt reward is what PPO sees. That it rises says nothing of what people prefer: read the completions."
            );
        if (subject.IsToy)
            page.Proportions("Right answers", [.. results.Select(result => new NamedProportion(result.Name, result.Right))]);
        run.Finish(
            page.Proportions("Reward model", new NamedProportion("held-out pairs in the right order", ranked))
                .Curves(
                    "The stages before",
                    new CurveChart("Supervised: loss", "nats per token", CurveSeries.Of(supervised, "loss")),
                    new CurveChart("Reward model: loss", "", CurveSeries.Of(judging, "loss"))
                )
                .Completions(
                    "The same held-out prompts: supervised, and after PPO",
                    Measure.Pairs(stages[1].Completions, stages[2].Completions)
                )
                .Run(reports, completions: run.LoggedCompletions, name: "PPO"),
            results
                .SelectMany(result =>
                    (KeyValuePair<string, object>[])
                        [
                            new($"reward_{result.Name}", result.Learnt.Mean),
                            new($"reward_{result.Name}_interval", result.Learnt.Interval),
                            .. subject.IsToy
                                ?
                                [
                                    new($"accuracy_{result.Name}", result.Right.Value),
                                    new($"accuracy_{result.Name}_interval", result.Right.Interval()),
                                ]
                                : (KeyValuePair<string, object>[])[],
                        ]
                )
                .Append(new("reward_model_accuracy", ranked.Value))
                .Append(new("reward_model_accuracy_interval", ranked.Interval()))
        );

        IReadOnlyList<Completion> Draw() => Sampled.Completions(subject.Model, subject.Tokenizer, problems, sampling, run.Seed);

        T Common<T>(T options, int steps, int batchSize)
            where T : TrainingOptions =>
            (T)(
                options with
                {
                    Steps = steps,
                    BatchSize = batchSize,
                    MicroBatchSize = run.MicroBatch(longest),
                    WarmupSteps = steps / 10,
                    Schedule = LearningRateSchedule.Cosine,
                    Seed = run.Seed,
                }
            );

        (
            IReadOnlyList<PreferencePair> Train,
            IReadOnlyList<PreferencePair> HeldOut,
            IReadOnlyList<Demonstration> Demonstrations,
            IReadOnlyList<Problem> Asked,
            IReadOnlyList<Problem> Problems
        ) Data()
        {
            if (run.Data is null)
            {
                var seen = ArithmeticTask.Problems(toyProblems, heldOut: false, run.Seed);
                var unseen = ArithmeticTask.Problems(run.HeldOut, heldOut: true, run.Seed);
                return (
                    ArithmeticTask.DraftPairs(seen, run.Seed),
                    ArithmeticTask.DraftPairs(unseen, run.Seed + 1),
                    ArithmeticTask.Drafts(seen, run.Seed + 2),
                    seen,
                    unseen
                );
            }
            // The reward model appends an end; prompts to draw from leave room for a completion.
            var fitting = UserData.Fitting(
                RecordReader.Pairs(run.Data, UserData.Template(values.GetValue(template)!, subject.Folder)),
                subject.Tokenizer,
                subject.Model.ContextLength - 1,
                pair => [pair.Prompt + pair.Chosen, pair.Prompt + pair.Rejected]
            );
            var (train, heldOut) = fitting.Split(run.HeldOut);
            int room = subject.Model.ContextLength - values.GetValue(tokens);
            Problem[] Fitting(IEnumerable<PreferencePair> pairs) =>
                [
                    .. pairs
                        .Select(pair => new Problem(pair.Prompt))
                        .Distinct()
                        .Where(problem => subject.Tokenizer.Encode(problem.Prompt).Length is > 0 and var length && length <= room),
                ];
            var (asked, problems) = (Fitting(train), Fitting(heldOut));
            if (asked.Length == 0 || problems.Length == 0)
                throw new ArgumentException(
                    $"{asked.Length} prompts to learn from and {problems.Length} held out leave room for {values.GetValue(tokens)} "
                        + $"tokens in the model's context of {subject.Model.ContextLength}, expected at least one each: fewer --tokens"
                );
            longest = Math.Max(
                fitting.Longest,
                asked.Concat(problems).Max(problem => subject.Tokenizer.Encode(problem.Prompt).Length) + values.GetValue(tokens)
            );
            return (train, heldOut, [.. train.Select(pair => new Demonstration(pair.Prompt, pair.Chosen))], asked, problems);
        }
    }
);
