#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Reward models: of outcomes from preference pairs, of processes from judged steps; then best-of-N by each.
//   dotnet run -c Release samples/experiments/reward-model.cs [-- --kind outcome --model DIR --data FILE --steps N --output DIR]
// Records: chosen and rejected, texts or messages (outcome); prompt, completions and labels (process, --kind process): docs/data.md.
using PostTrain.Data;
using PostTrain.Data.Records;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.RewardModeling;
using PostTrain.Rewards;
using PostTrain.Rewards.Steps;
using PostTrain.Rollouts;
using PostTrain.Samples.Support;
using PostTrain.Text;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

const int toyProblems = 4000,
    samples = 8,
    asked = 100;
var command = new SampleCommand("reward-model", "Trains an outcome reward model and a process reward model.", steps: 600);
var kind = command.Option<string?>("--kind", "outcome or process; the toy trains both.", null);
var rate = command.Option<double?>(
    "--learning-rate",
    "By default what suits the model's width: 5e-4 at 64, less in wider models.",
    null,
    OptionRange.Positive
);
var separator = command.Option<string?>(
    "--separator",
    "What ends a step; by default a line end, and a semicolon of the toy, whose tokenizer has no line end.",
    null
);
var batch = command.Option("--batch-size", "Pairs or solutions in a step.", 32, OptionRange.AtLeast(1));
var template = command.Option("--template", UserData.TemplateHelp, "alpaca");
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        string wanted = values.GetValue(kind) ?? (run.Data is null ? "both" : "outcome");
        if (wanted is not ("both" or "outcome" or "process"))
            throw new ArgumentException($"--kind is '{wanted}', expected outcome or process");
        using var subject = Subject.Load(run);
        int longest = subject.Model.ContextLength;
        var encoding = new StepEncodingOptions
        {
            Separator = values.GetValue(separator) ?? (subject.IsToy ? ";" : "\n"),
            MaximumLength = subject.Model.ContextLength,
        };
        var problems = ArithmeticTask.Problems(toyProblems, heldOut: false, run.Seed);
        var unseen = ArithmeticTask.Problems(run.HeldOut, heldOut: true, run.Seed);
        var rows = new List<string[]>();
        var summary = new Dictionary<string, object>();
        var page = run.Page(
            "Reward models",
            $"{subject.Name} with a linear head learns to judge: "
                + wanted switch
                {
                    "both" => "outcomes from pairs, and steps from judged solutions.",
                    "outcome" => "outcomes from pairs.",
                    _ => "steps from judged solutions.",
                }
        );
        var pages = new List<Action>();
        IReward? outcome = null;
        IStepReward? process = null;
        using var outcomeModel = wanted == "process" ? null : SequenceClassifier.For(subject.Again());
        using var processModel =
            wanted == "outcome" ? null : SequenceClassifier.For(subject.Again(), new ClassifierOptions { Bias = true });

        if (outcomeModel is not null)
        {
            var (train, heldOut) = run.Data is null
                ? (ArithmeticTask.DraftPairs(problems, run.Seed), ArithmeticTask.DraftPairs(unseen, run.Seed + 1))
                : Split(
                    RecordReader.Pairs(run.Data, UserData.Template(values.GetValue(template)!, subject.Folder)),
                    pair => [pair.Prompt + pair.Chosen, pair.Prompt + pair.Rejected]
                );
            using var trainer = new RewardTrainer(
                outcomeModel,
                subject.Tokenizer,
                Common(new RewardOptions { CenteringCoefficient = 0.01 })
            );
            var reports = run.Train("outcome reward model", run.Steps, trainer.Run(train, heldOut, run.Cancellation), "outcome");
            var ranked = new Proportion(heldOut.Count(pair => trainer.Evaluate([pair])["eval/reward/accuracy"] > 0.5), heldOut.Count);
            rows.Add(["outcome: pairs in the right order", ranked.ToString()]);
            (summary["outcome_accuracy"], summary["outcome_accuracy_interval"]) = (ranked.Value, ranked.Interval());
            pages.Add(() =>
                page.Proportions("Outcome: held-out pairs in the right order", new NamedProportion("outcome", ranked))
                    .Run(reports, name: "Outcome reward model")
            );
            Pretrained.Save(outcomeModel, run.PathOf("outcome-model"));
            outcome = LearnedRewards.Outcome(outcomeModel, subject.Tokenizer, new LearnedRewardOptions { CutsLonger = true });
        }
        if (processModel is not null)
        {
            var (train, heldOut) = run.Data is null
                ? (
                    await StepsAsync(ArithmeticTask.Drafts(problems, run.Seed)),
                    await StepsAsync(ArithmeticTask.Drafts(unseen, run.Seed + 1))
                )
                : Split(
                    StepwiseExample.Read(run.Data),
                    example => [example.Prompt + string.Join(encoding.Separator, example.Steps) + encoding.Separator]
                );
            using var trainer = new ProcessRewardTrainer(
                processModel,
                subject.Tokenizer,
                Common(new ProcessRewardOptions { Encoding = encoding })
            );
            var reports = run.Train("process reward model", run.Steps, trainer.Run(train, heldOut, run.Cancellation), "process");
            process = LearnedRewards.Steps(processModel, subject.Tokenizer, new LearnedRewardOptions { Encoding = encoding });
            await JudgedAsync(heldOut);
            var accuracies = Estimate.Of([.. heldOut.Select(example => trainer.Evaluate([example])["eval/accuracy"])]);
            double majority = heldOut.SelectMany(example => example.Labels).Average() is var share ? Math.Max(share, 1 - share) : 0;
            rows.Add(["process: steps judged as labelled, mean over solutions", accuracies.ToString()]);
            rows.Add(["process: the same, had it always said the more frequent label", Format.Number(majority)]);
            (summary["process_accuracy"], summary["process_accuracy_interval"], summary["process_majority"]) = (
                accuracies.Mean,
                accuracies.Interval,
                majority
            );
            pages.Add(() => page.Run(reports, name: "Process reward model"));
            Pretrained.Save(processModel, run.PathOf("process-model"));
        }
        if (wanted == "both")
            await BestOfAsync();

        var table = new ReportTable(["held out", "value"], rows);
        ConsoleTable.Print(table);
        page.Table("Held-out examples", table)
            .Paragraph("Intervals are 95 %; those of the process model's two shares come from drawing the held-out solutions anew.");
        foreach (var add in pages)
            add();
        run.Finish(page, summary);

        T Common<T>(T options)
            where T : TrainingOptions =>
            (T)(
                options with
                {
                    Steps = run.Steps,
                    BatchSize = values.GetValue(batch),
                    LearningRate = values.GetValue(rate) ?? subject.Rate(5e-4),
                    MicroBatchSize = Math.Max(1, run.MicroBatch(longest) / 2),
                    WarmupSteps = run.Steps / 10,
                    Schedule = LearningRateSchedule.Cosine,
                    Evaluation = new EvaluationOptions { Every = Math.Max(1, run.Steps / 5) },
                    Seed = run.Seed,
                }
            );

        (IReadOnlyList<TRecord> Train, IReadOnlyList<TRecord> HeldOut) Split<TRecord>(
            IReadOnlyList<TRecord> records,
            Func<TRecord, IEnumerable<MarkedText>> texts
        )
        {
            // A place is left for the end of the sequence.
            var fitting = UserData.Fitting(records, subject.Tokenizer, subject.Model.ContextLength - 1, texts);
            longest = fitting.Longest + 1;
            var (train, heldOut) = fitting.Split(run.HeldOut);
            Console.WriteLine($"{train.Count} examples to learn from, {heldOut.Count} held out");
            return (train, heldOut);
        }

        // Most steps are right, so that accuracy alone says little: how well are right and wrong steps told apart?
        async Task JudgedAsync(IReadOnlyList<StepwiseExample> examples)
        {
            var scores = await process!.ScoreStepsAsync(
                [
                    .. examples.Select(example => new SteppedCompletion(
                        new Completion(new Problem(example.Prompt), "", [], true),
                        [.. example.Steps.Select(step => new ReasoningStep(0, 0, step))]
                    )),
                ],
                RewardContext.None,
                run.Cancellation
            );
            JudgedSteps[] judged =
            [
                .. examples.Zip(scores, (example, score) => new JudgedSteps(score, [.. example.Labels.Select(label => label > 0)])),
            ];
            foreach (
                var (name, text, measure) in new (string, string, Func<IReadOnlyList<JudgedSteps>, double>)[]
                {
                    ("process_area", "process: a right step scores above a wrong one (0.5 is chance)", JudgedSteps.Area),
                    (
                        "process_balanced_accuracy",
                        "process: accuracy, right and wrong steps counted alike (0.5 is chance)",
                        JudgedSteps.BalancedAccuracy
                    ),
                }
            )
            {
                var interval = Bootstrap.Interval(judged, measure, run.Seed);
                rows.Add([
                    text,
                    double.IsNaN(measure(judged))
                        ? "– (all held-out steps have one label)"
                        : $"{Format.Number(measure(judged))} ({Format.Number(interval[0])}–{Format.Number(interval[1])})",
                ]);
                (summary[name], summary[name + "_interval"]) = (measure(judged), interval);
            }
        }

        // The rule that labels the toy's steps: is the column's arithmetic right?
        async Task<IReadOnlyList<StepwiseExample>> StepsAsync(IReadOnlyList<Demonstration> solutions)
        {
            SteppedCompletion[] stepped =
            [
                .. solutions.Select(item =>
                    SteppedCompletion.Of(new Completion(new Problem(item.Prompt), item.Completion, [], true), encoding.Separator)
                ),
            ];
            var labels = await StepReward.Arithmetic().ScoreStepsAsync(stepped, RewardContext.None, run.Cancellation);
            return
            [
                .. stepped.Zip(
                    labels,
                    (item, label) =>
                        new StepwiseExample(
                            item.Completion.Problem.Prompt,
                            [.. item.Steps.Select(step => step.Text)],
                            [.. label.Select(value => value > 0.5 ? 1 : 0)]
                        )
                ),
            ];
        }

        // Several answers of the base model to each problem: which of them does a judge take?
        async Task BestOfAsync()
        {
            Problem[] repeated = [.. unseen.Take(asked).SelectMany(problem => Enumerable.Repeat(problem, samples))];
            var answers = Sampled.Completions(subject.Model, subject.Tokenizer, repeated, subject.Sampling(tokens: 40), run.Seed);
            var groups = answers.Chunk(samples).ToArray();
            var byOutcome = (await outcome!.ScoreAsync(answers, RewardContext.None, run.Cancellation)).Values.Chunk(samples).ToArray();
            var bySteps = (
                await StepReward
                    .Aggregated(process!, StepAggregation.Minimum, encoding.Separator)
                    .OrElse(0)
                    .ScoreAsync(answers, RewardContext.None, run.Cancellation)
            )
                .Values.Chunk(samples)
                .ToArray();
            (string Name, Proportion Right)[] ways =
            [
                ("the first answer", Measure.Right([.. groups.Select(items => items[0])])),
                ("majority vote", Measure.Right([.. groups.Select(Majority)])),
                ("best by the outcome model", Measure.Right([.. groups.Select((items, i) => items[Voting.BestOfN(byOutcome[i])])])),
                (
                    "best by the process model's lowest step",
                    Measure.Right([.. groups.Select((items, i) => items[Voting.BestOfN(bySteps[i])])])
                ),
                ("any is right", new Proportion(groups.Count(items => items.Any(ArithmeticTask.IsRight)), groups.Length)),
            ];
            pages.Insert(
                0,
                () =>
                    page.Proportions(
                        $"Right answers, {samples} drawn for each of {groups.Length} problems",
                        [.. ways.Select(way => new NamedProportion(way.Name, way.Right))]
                    )
            );
            rows.AddRange(ways.Select(way => (string[])[$"right: {way.Name}", way.Right.ToString()]));
            foreach (var (name, right) in ways)
                summary[name] = new Dictionary<string, object> { ["accuracy"] = right.Value, ["interval"] = right.Interval() };
        }

        static Completion Majority(Completion[] items)
        {
            var vote = Voting.Majority([.. items.Select(item => AnswerExtraction.Extract(item.Text, AnswerPlaces.Tags))]);
            int first = vote.Answer is null ? 0 : vote.Classes.ToList().IndexOf(vote.Answers.ToList().IndexOf(vote.Answer));
            return items[first];
        }
    }
);

/// <summary>The steps of one solution with the scores of a process reward model and the correct labels.</summary>
/// <param name="Scores">One probability per step.</param>
/// <param name="Right">The labels.</param>
internal sealed record JudgedSteps(IReadOnlyList<double> Scores, IReadOnlyList<bool> Right)
{
    /// <summary>Computes the probability that a correct step scores above a wrong one, a tie counted as half: the area under the ROC curve;
    /// 0.5 is chance. NaN without both kinds.</summary>
    public static double Area(IReadOnlyList<JudgedSteps> solutions)
    {
        var (right, wrong) = (Sorted(solutions, right: true), Sorted(solutions, right: false));
        if (right.Length == 0 || wrong.Length == 0)
            return double.NaN;
        double above = 0;
        int below = 0,
            notAbove = 0;
        foreach (double score in right)
        {
            while (below < wrong.Length && wrong[below] < score)
                below++;
            while (notAbove < wrong.Length && wrong[notAbove] <= score)
                notAbove++;
            above += below + 0.5 * (notAbove - below);
        }
        return above / ((double)right.Length * wrong.Length);
    }

    /// <summary>Computes the balanced accuracy: the mean of the shares of correct and of wrong steps that are recognised; 0.5 is chance.
    /// NaN without both kinds.</summary>
    public static double BalancedAccuracy(IReadOnlyList<JudgedSteps> solutions)
    {
        var (right, wrong) = (Sorted(solutions, right: true), Sorted(solutions, right: false));
        return right.Length == 0 || wrong.Length == 0
            ? double.NaN
            : (right.Count(score => score > 0.5) / (double)right.Length + wrong.Count(score => score <= 0.5) / (double)wrong.Length) / 2;
    }

    private static double[] Sorted(IReadOnlyList<JudgedSteps> solutions, bool right) =>
        [
            .. solutions
                .SelectMany(solution => solution.Scores.Zip(solution.Right))
                .Where(step => step.Second == right && !double.IsNaN(step.First))
                .Select(step => step.First)
                .Order(),
        ];
}
