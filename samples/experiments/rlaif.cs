#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// RLAIF in three stages: a judge compares the policy's completions, a reward model learns its labels, the policy learns from the reward
// model.
//   dotnet run -c Release samples/experiments/rlaif.cs [-- --judge sums --errors 0.1 --model DIR --data FILE --steps N --output DIR]
// Records: question or prompt, and answer, which only the measurement looks at: docs/data.md. The judges are scripts; put a client of yours
// in their place.
using PostTrain.Data;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Recipes;
using PostTrain.Refinement;
using PostTrain.RewardModeling;
using PostTrain.Rewards;
using PostTrain.Rewards.Judges;
using PostTrain.Rollouts;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

var command = new SampleCommand("rlaif", "Reinforcement learning from AI feedback; --steps are the policy's.", steps: 100);
var judgeName = command.Option("--judge", "sums (checks the toy's sums, with errors) or style (likes shown work, checks nothing).", "sums");
var errors = command.Option("--errors", "Share of the pairs that the judge of sums takes the wrong way.", 0.1, OptionRange.Between(0, 1));
var pairs = command.Option("--pairs", "Pairs that are judged.", 4000, OptionRange.AtLeast(2));
var firstSteps = command.Option("--sft-steps", "Steps of supervised fine-tuning before, on the toy only.", 40, OptionRange.AtLeast(0));
var rewardSteps = command.Option("--reward-steps", "Steps of the reward model.", 500, OptionRange.AtLeast(1));
var kl = command.Option("--kl", "Weight of the divergence from the model as it was.", 0.05, OptionRange.AtLeast(0));
var batch = command.Option("--batch-size", "Prompts in a step of the policy; 4 completions each.", 16, OptionRange.AtLeast(1));
var tokens = command.Option("--tokens", "Most tokens of a completion.", 48, OptionRange.AtLeast(1));
var template = command.Option("--template", UserData.TemplateHelp, "plain");
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        using var subject = Subject.Load(run);
        using var client = values.GetValue(judgeName) switch
        {
            "sums" when subject.IsToy => ScriptedJudge.OfSums(values.GetValue(errors)),
            "sums" => throw new ArgumentException("--judge sums knows the toy's sums only, expected style, or a client of your own"),
            "style" => ScriptedJudge.OfStyle(),
            var name => throw new ArgumentException($"--judge is '{name}', expected sums or style"),
        };
        var (train, heldOut, longest) = ProblemData.Load(run, subject, values.GetValue(template)!, values.GetValue(tokens));
        var sampling = new SamplingOptions { MaxNewTokens = values.GetValue(tokens) };
        if (subject.IsToy)
        {
            // The base model of the toy is no assistant yet; its teacher slips now and then, so that something is left to learn.
            using var trainer = new SftTrainer(
                subject.Model,
                subject.Tokenizer,
                Common(new SftOptions { LearningRate = subject.Rate(1e-3) }, values.GetValue(firstSteps), 32)
            );
            run.Train(
                "supervised fine-tuning",
                values.GetValue(firstSteps),
                trainer.Run(ArithmeticTask.Drafts(train, run.Seed + 2), cancellation: run.Cancellation),
                "sft"
            );
        }
        var before = Draw();

        using var rewardModel = SequenceClassifier.For(subject.Model.Copy());
        var options = new RlaifOptions
        {
            Feedback = new AiFeedbackOptions { Sampling = sampling, Seed = run.Seed + 1 },
            RewardModel = rewardModel,
            RewardTraining = Common(
                new RewardOptions { LearningRate = subject.Rate(5e-4), CenteringCoefficient = 0.01 },
                values.GetValue(rewardSteps),
                32
            ),
            Reinforcement = Common(
                RlaifOptions.Reinforce with
                {
                    GroupSize = 4,
                    LearningRate = subject.Rate(1e-3),
                    Kl = KlPenalty.Reward(KlControl.Fixed(values.GetValue(kl))),
                    Sampling = sampling,
                    CompletionObservers = [run.Completions],
                },
                run.Steps,
                values.GetValue(batch)
            ),
        };
        Problem[] asked = [.. Enumerable.Range(0, values.GetValue(pairs)).Select(i => train[i % train.Count])];
        var reports = new Dictionary<string, IReadOnlyList<StepReport>>();
        var stages = new Rlaif(subject.Model, subject.Tokenizer, Judge.Pairs(client), options)
            .RunAsync(asked, cancellation: run.Cancellation)
            .GetAsyncEnumerator();
        await using (stages.ConfigureAwait(false))
        {
            bool more = await stages.MoveNextAsync();
            foreach (
                var (stage, title, steps) in new[]
                {
                    (Rlaif.Feedback, "1. feedback", (asked.Length + 63) / 64),
                    (Rlaif.RewardModel, "2. reward model", values.GetValue(rewardSteps)),
                    (Rlaif.Reinforcement, "3. policy", run.Steps),
                }
            )
                reports[stage] = await run.TrainAsync(
                    title,
                    steps,
                    Of(stage),
                    stage == Rlaif.Reinforcement ? "policy" : stage.Replace("-", "")
                );

            async IAsyncEnumerable<StepReport> Of(string stage)
            {
                for (; more && stages.Current.Stage == stage; more = await stages.MoveNextAsync())
                    yield return stages.Current.Step;
            }
        }
        subject.Save(run);
        var after = Draw();

        // What the judge has never said: the right answers. The gap between the learnt reward and them is what to look at.
        var reward = LearnedRewards.Outcome(rewardModel, subject.Tokenizer);
        var gold = Reward.MathAnswer(new MathAnswerOptions { Places = subject.IsToy ? AnswerPlaces.Tags : AnswerPlaces.Any });
        var (learntBefore, learntAfter, goldBefore, goldAfter) = (
            await Scores(reward, before),
            await Scores(reward, after),
            await Scores(gold, before),
            await Scores(gold, after)
        );
        var wins = Estimate.Of([
            .. goldAfter.Zip(
                goldBefore,
                (a, b) =>
                    a > b ? 1
                    : a < b ? 0
                    : 0.5
            ),
        ]);
        var table = new ReportTable(
            ["held out", "learnt reward", "right answers"],
            [
                (string[])["before", Estimate.Of(learntBefore).ToString(), Share(goldBefore).ToString()],
                (string[])["after", Estimate.Of(learntAfter).ToString(), Share(goldAfter).ToString()],
                (string[])
                    [
                        "difference",
                        Estimate.OfDifference(learntAfter, learntBefore).ToString(),
                        Estimate.OfDifference(goldAfter, goldBefore).ToString(),
                    ],
            ]
        );
        ConsoleTable.Print(table);
        Console.WriteLine($"after wins over before by the right answer, ties half: {wins}; one half would be no difference");
        var feedback = reports[Rlaif.Feedback][^1].Metrics["feedback/pairs"];
        run.Finish(
            run.Page(
                    "Reinforcement learning from AI feedback",
                    $"{subject.Name}: {feedback:F0} pairs judged by the script '{values.GetValue(judgeName)}' in both orders, a "
                        + $"reward model from its soft labels, {options.Reinforcement.Objective.Name} with a KL weight of "
                        + $"{values.GetValue(kl)}."
                )
                .Tiles(RunReport.Tiles(reports[Rlaif.Reinforcement]))
                .Table("One sampled answer to each held-out problem", table)
                .Paragraph(
                    "The learnt reward is what the policy sees. Where it rises and the share of right answers does not, the policy "
                        + "has found what the judge overrates: try --judge style."
                )
                .Proportions(
                    "Right answers",
                    new NamedProportion("before", Share(goldBefore)),
                    new NamedProportion("after", Share(goldAfter))
                )
                .Curves(
                    "The stages before",
                    new CurveChart("Judge's mean label", "½ to 1", CurveSeries.Of(reports[Rlaif.Feedback], "feedback/confidence")),
                    new CurveChart("Reward model: loss", "", CurveSeries.Of(reports[Rlaif.RewardModel], "loss"))
                )
                .Completions("The same held-out prompts, before and after", Measure.Pairs(before, after))
                .Run(reports[Rlaif.Reinforcement], completions: run.LoggedCompletions, name: "policy"),
            new Dictionary<string, object>
            {
                ["judge"] = values.GetValue(judgeName)!,
                ["pairs"] = feedback,
                ["reward_difference"] = Estimate.OfDifference(learntAfter, learntBefore).Mean,
                ["reward_difference_interval"] = Estimate.OfDifference(learntAfter, learntBefore).Interval,
                ["accuracy_before"] = Share(goldBefore).Value,
                ["accuracy_before_interval"] = Share(goldBefore).Interval(),
                ["accuracy_after"] = Share(goldAfter).Value,
                ["accuracy_after_interval"] = Share(goldAfter).Interval(),
                ["wins"] = wins.Mean,
                ["wins_interval"] = wins.Interval,
            }
        );

        IReadOnlyList<Completion> Draw() => Sampled.Completions(subject.Model, subject.Tokenizer, heldOut, sampling, run.Seed);

        async Task<double[]> Scores(IReward judge, IReadOnlyList<Completion> completions) =>
            (await judge.ScoreAsync(completions, RewardContext.None, run.Cancellation)).Values;

        Proportion Share(double[] right) => new(right.Count(value => value > 0.5), right.Length);

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
    }
);
