#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Self-refinement in its four kinds: feedback from the model itself or from outside, without training and with it.
//   dotnet run -c Release samples/experiments/self-refine.cs [-- --rounds 3 --train N --model DIR --data FILE --steps N --output DIR]
// Records: question or prompt, and answer.
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Preference;
using PostTrain.Refinement;
using PostTrain.Refinement.Writing;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

var command = new SampleCommand(
    "self-refine",
    "Refines answers by the model's own feedback and by a verifier's, then fine-tunes on what was repaired.",
    steps: 100,
    heldOut: 400
);
var rounds = command.Option("--rounds", "Rounds of revision.", 3, OptionRange.AtLeast(1));
var trainProblems = command.Option("--train", "Problems whose repairs are trained on, at most.", 600, OptionRange.AtLeast(1));
var formatSteps = command.Option<int?>(
    "--format-steps",
    "Steps that first teach what a revision's prompt is, on the model's own texts as they come; 120 for the toy, none for other models.",
    null,
    OptionRange.AtLeast(0)
);
var batch = command.Option("--batch-size", "Examples in a step.", 64, OptionRange.AtLeast(1));
var rate = command.Option("--learning-rate", "Learning rate of supervised fine-tuning.", 1e-3, OptionRange.Positive);
var pairRate = command.Option("--pair-learning-rate", "Learning rate of DPO.", 3e-4, OptionRange.Positive);
var tokens = command.Option("--tokens", "Most tokens of an answer.", 40, OptionRange.AtLeast(1));
var template = command.Option("--template", UserData.TemplateHelp, "plain");
var revision = command.Option<string?>("--revision", "Of revisions: a format with {problem}, {attempt} and {feedback}.", null);
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        int most = values.GetValue(rounds);
        using var loaded = Subject.Load(run);
        var subject = loaded;
        var (train, heldOut, _) = ProblemData.Load(run, subject, values.GetValue(template)!, values.GetValue(tokens));
        train = [.. train.Take(values.GetValue(trainProblems))];
        var right = Reward.MathAnswer(new MathAnswerOptions { Places = subject.IsToy ? AnswerPlaces.Tags : AnswerPlaces.Any });
        var verifier = subject.IsToy
            ? FeedbackSources.Verifier(right, text: (completion, _) => SumRevision.WrongColumn(completion))
            : FeedbackSources.Verifier(right);
        IFeedbackSource Unsaid(IReward score) => subject.IsToy ? FeedbackSources.Score(score, (_, _) => "") : FeedbackSources.Score(score);
        var writing = new ModelRefinerOptions
        {
            Template =
                values.GetValue(revision) is { } ownFormat ? new RevisionTemplate { Format = ownFormat }
                : subject.IsToy ? SumRevision.Template
                : new RevisionTemplate(),
            Sampling = new SamplingOptions { MaxNewTokens = values.GetValue(tokens) },
            Seed = run.Seed,
        };
        var options = new SelfRefinementOptions { Rounds = most, Gold = right };
        var trainings = new List<(string Name, IReadOnlyList<StepReport> Reports)>();

        // The format alone: a revision is one more of the model's own texts, whether right or wrong. So it begins as a reviser that neither
        // repairs nor keeps better than it answers.
        if ((values.GetValue(formatSteps) ?? (subject.IsToy ? 120 : 0)) is var formatting and > 0)
        {
            var one = (
                await RoundsAsync(subject.Model, verifier, options with { Rounds = 0 }, train, writing with { Seed = run.Seed + 2 })
            )[0].Traces;
            var two = (
                await RoundsAsync(subject.Model, Unsaid(right), options with { Rounds = 0 }, train, writing with { Seed = run.Seed + 3 })
            )[0].Traces;
            Demonstration[] lessons =
            [
                .. one.Zip(two)
                    .Concat(two.Zip(one))
                    .Where(pair => pair.Second.Current.Completion.Finished)
                    .SelectMany(pair =>
                    {
                        var (earlier, next) = (pair.First.Current, pair.Second.Current.Completion.Text);
                        return (Demonstration[])
                            [
                                new(writing.Template.Apply(pair.First.Problem, earlier.Completion, earlier.Feedback), next),
                                new(pair.First.Problem.Prompt, next),
                            ];
                    }),
            ];
            using (
                var trainer = new SftTrainer(
                    subject.Model,
                    subject.Tokenizer,
                    (SftOptions)Common(new SftOptions(), values.GetValue(rate), formatting)
                )
            )
                trainings.Add(
                    ("format", run.Train("format of revisions", formatting, trainer.Run(lessons, cancellation: run.Cancellation), "format"))
                );
            subject.Save(subject.Model, run.PathOf("model-format"));
            subject = loaded with { Folder = run.PathOf("model-format") };
        }

        // Without training.
        var ways = new List<Way>
        {
            await RefineAsync(
                "intrinsic, always revised",
                subject.Model,
                Unsaid(SelfRewards.MeanLogProb(subject.Model, subject.Tokenizer)),
                options
            ),
            await RefineAsync(
                "intrinsic, likelier text kept",
                subject.Model,
                Unsaid(SelfRewards.MeanLogProb(subject.Model, subject.Tokenizer)),
                options with
                {
                    Rule = RefinementRule.KeepBetter,
                }
            ),
            await RefineAsync("external verifier", subject.Model, verifier, options),
        };

        // What it repairs on other problems is what it is trained on.
        var drawing = writing with
        {
            Seed = run.Seed + 1,
        };
        var own = (await RoundsAsync(subject.Model, Unsaid(right), options, train, drawing))[^1].Traces;
        IReadOnlyList<Demonstration> corrections =
        [
            .. TraceExamples.Corrections(own),
            .. TraceExamples.Confirmations(own, writing.Template, attempt => attempt.Right == true),
        ];
        var pairs = TraceExamples.Repairs((await RoundsAsync(subject.Model, verifier, options, train, drawing))[^1].Traces);
        Console.WriteLine(
            $"{train.Count} problems gave {corrections.Count} corrections and confirmations, {pairs.Count} pairs of a repaired and "
                + "its original text"
        );
        JsonLines.Write(run.PathOf("corrections.jsonl"), corrections);
        JsonLines.Write(run.PathOf("pairs.jsonl"), pairs);
        if (corrections.Count > 0)
        {
            using var model = subject.Again();
            using (
                var trainer = new SftTrainer(
                    model,
                    subject.Tokenizer,
                    (SftOptions)Common(new SftOptions(), values.GetValue(rate), run.Steps)
                )
            )
                trainings.Add(
                    (
                        "SFT on corrections",
                        run.Train("SFT on corrections", run.Steps, trainer.Run(corrections, cancellation: run.Cancellation), "sft")
                    )
                );
            ways.Add(await RefineAsync("fine-tuned intrinsic", model, Unsaid(SelfRewards.MeanLogProb(model, subject.Tokenizer)), options));
            subject.Save(model, run.PathOf("model-intrinsic"));
        }
        if (pairs.Count > 0)
        {
            using var model = subject.Again();
            using (
                var trainer = new DpoTrainer(
                    model,
                    subject.Tokenizer,
                    ReferencePolicy.Of(subject.Model),
                    (DpoOptions)Common(new DpoOptions(), values.GetValue(pairRate), run.Steps)
                )
            )
                trainings.Add(
                    ("DPO on repairs", run.Train("DPO on repairs", run.Steps, trainer.Run(pairs, cancellation: run.Cancellation), "dpo"))
                );
            ways.Add(await RefineAsync("fine-tuned external", model, verifier, options));
            subject.Save(model, run.PathOf("model-external"));
        }

        var table = Way.Table(ways);
        ConsoleTable.Print(table);
        Console.WriteLine(Way.Reading);
        var page = run.Page(
                "Self-refinement, four kinds",
                $"{subject.Name} answers {heldOut.Count} held-out problems and revises its answers, {most} rounds at most."
            )
            .Tiles([
                .. ways.Select(way => new SummaryTile(
                    way.Name,
                    Format.Percent(way.Rounds[^1].Accuracy!.Value),
                    $"from {Format.Percent(way.Rounds[0].Accuracy!.Value)}; a {Format.Percent(way.Pooled.Repaired.Value)}, b "
                        + $"{Format.Percent(way.Pooled.Spoiled.Value)}"
                )),
            ])
            .Proportions("Right at the end", [.. ways.Select(way => new NamedProportion(way.Name, way.Rounds[^1].Accuracy!))])
            .Curves(
                "Accuracy by round",
                new CurveChart("Measured", "share", [.. ways.Select(way => way.Measured)]),
                new CurveChart("The chain of round 1's a and b", "share", [.. ways.Select(way => way.Predicted)])
            )
            .Paragraph(Way.Reading, "What each round did");
        foreach (var way in ways)
            page.Table(way.Name, way.Table());
        page.Table("One problem, all attempts", Way.Attempts(ways[2]));
        if (trainings.Count > 0)
            page.Curves(
                "Training",
                [.. trainings.Select(training => new CurveChart(training.Name, "loss", CurveSeries.Of(training.Reports, "loss")))]
            );
        run.Finish(page, ways.ToDictionary(way => way.Name, object (way) => way.Summary()));

        TrainingOptions Common(TrainingOptions given, double learningRate, int steps) =>
            given with
            {
                Steps = steps,
                BatchSize = values.GetValue(batch),
                LearningRate = learningRate,
                WarmupSteps = steps / 10,
                Schedule = LearningRateSchedule.Cosine,
                Seed = run.Seed,
            };

        async Task<Way> RefineAsync(string name, CausalLm model, IFeedbackSource feedback, SelfRefinementOptions how)
        {
            var way = new Way(name, await RoundsAsync(model, feedback, how, heldOut, writing));
            foreach (var round in way.Rounds)
                run.Log(way.Record(round));
            Console.WriteLine($"{name, -30} {way.Rounds[0].Accuracy} → {way.Rounds[^1].Accuracy}");
            return way;
        }

        async Task<IReadOnlyList<RefinementRound>> RoundsAsync(
            CausalLm model,
            IFeedbackSource feedback,
            SelfRefinementOptions how,
            IReadOnlyList<Problem> problems,
            ModelRefinerOptions drawn
        )
        {
            var all = new List<RefinementRound>();
            await foreach (
                var round in SelfRefinement.RunAsync(
                    problems,
                    new ModelRefiner(model, subject.Tokenizer, drawn),
                    feedback,
                    how,
                    run.Cancellation
                )
            )
                all.Add(round);
            return all;
        }
    }
);

/// <summary>One kind of self-refinement on the held-out problems.</summary>
internal sealed record Way(string Name, IReadOnlyList<RefinementRound> Rounds)
{
    private static readonly string[] Columns = ["way", "round", "r → r", "r → w", "w → r", "w → w", "a", "b", "accuracy", "chain"];

    internal const string Reading =
        "r → w: right before the round and wrong after it, and so on. a: of the wrong answers, the share that the round "
        + "repaired; b: of the right ones, the share that it spoiled; with 95 % Wilson intervals. "
        + "Chain: the accuracy that the a and b of round 1 predict for the later rounds, p* = a/(a+b). It supposes that all "
        + "wrong answers are equally hard to repair; measured curves that stay below it say that they are not.";

    internal TransitionTable Pooled { get; } = TransitionTable.Sum(Rounds.Skip(1).Select(round => round.Transitions!));

    internal CurveSeries Measured => new(Name, [.. Rounds.Select(round => new CurvePoint(round.Round, round.Accuracy!.Value))]);

    internal CurveSeries Predicted => new(Name, [.. Rounds.Select(round => new CurvePoint(round.Round, Prediction(round.Round)))]);

    internal static ReportTable Table(IEnumerable<Way> ways) => new(Columns, [.. ways.SelectMany(way => way.Rounds.Select(way.Row))]);

    internal ReportTable Table() => new(Columns[1..], [.. Rounds.Select(round => Row(round)[1..])]);

    internal static ReportTable Attempts(Way way)
    {
        var longest = way.Rounds[^1].Traces.MaxBy(trace => (trace.Current.Right == true, trace.Attempts.Count))!;
        return new ReportTable(
            ["prompt", "text", "feedback", "right"],
            [
                .. longest.Attempts.Select(attempt =>
                    (string[])[attempt.Prompt, attempt.Completion.Text, attempt.Feedback.Text, attempt.Right == true ? "yes" : "no"]
                ),
            ]
        )
        {
            TextColumns = [0, 1, 2],
        };
    }

    internal StepReport Record(RefinementRound round)
    {
        var metrics = new Dictionary<string, double>
        {
            ["accuracy"] = round.Accuracy!.Value,
            ["revised"] = round.Revised,
            ["accepted"] = round.Accepted,
        };
        if (round.Transitions is { } table)
        {
            (metrics["right_right"], metrics["right_wrong"], metrics["wrong_right"], metrics["wrong_wrong"]) = (
                table.RightToRight,
                table.RightToWrong,
                table.WrongToRight,
                table.WrongToWrong
            );
            metrics["chain"] = Prediction(round.Round);
        }
        return new StepReport(
            round.Round,
            double.NaN,
            metrics.ToDictionary(
                item => $"{Name.Replace(", ", "_", StringComparison.Ordinal).Replace(' ', '_')}/{item.Key}",
                item => item.Value
            ),
            TimeSpan.Zero
        );
    }

    internal Dictionary<string, object> Summary() =>
        new()
        {
            ["accuracy"] = Rounds.Select(round => round.Accuracy!.Value).ToArray(),
            ["chain"] = Rounds.Select(round => Prediction(round.Round)).ToArray(),
            ["repaired"] = Pooled.Repaired.Value,
            ["repaired_interval"] = Pooled.Repaired.Interval(),
            ["spoiled"] = Pooled.Spoiled.Value,
            ["spoiled_interval"] = Pooled.Spoiled.Interval(),
            ["cells"] = Rounds
                .Skip(1)
                .Select(round =>
                    new[]
                    {
                        round.Transitions!.RightToRight,
                        round.Transitions.RightToWrong,
                        round.Transitions.WrongToRight,
                        round.Transitions.WrongToWrong,
                    }
                )
                .ToArray(),
        };

    private double Prediction(int round) =>
        Rounds.Count < 2 ? double.NaN : Rounds[1].Transitions!.Chain?.Accuracy(Rounds[0].Accuracy!.Value, round) ?? double.NaN;

    private string[] Row(RefinementRound round) =>
        round.Transitions is not { } table
            ? [Name, "0", "", "", "", "", "", "", round.Accuracy!.ToString(), Format.Percent(round.Accuracy!.Value)]
            :
            [
                "",
                $"{round.Round}",
                $"{table.RightToRight}",
                $"{table.RightToWrong}",
                $"{table.WrongToRight}",
                $"{table.WrongToWrong}",
                table.Repaired.ToString(),
                table.Spoiled.ToString(),
                round.Accuracy!.ToString(),
                round.Round == 1 || double.IsNaN(Prediction(round.Round)) ? "" : Format.Percent(Prediction(round.Round)),
            ];
}

/// <summary>The revision of a sum: the earlier answer and its criticism, then the sum. The model's context is too short for the whole
/// earlier text.</summary>
internal static class SumRevision
{
    private const int LongestAnswer = 4;

    /// <summary>The prompt of a revision, such as <c>642+2;347+285=</c>: the answer was 642, wrong in the second column from the
    /// right.</summary>
    public static RevisionTemplate Template { get; } =
        new()
        {
            Format = "{attempt}+{feedback};{problem}",
            QuoteAttempt = Answer,
            QuoteFeedback = text => text,
        };

    /// <summary>Returns the criticism of an external checker: nothing for a correct completion, otherwise the first wrong column of the
    /// answer from the right; 0 if there is no answer.</summary>
    public static string WrongColumn(Completion completion)
    {
        ArgumentNullException.ThrowIfNull(completion);
        var (given, right) = (Answer(completion.Text), completion.Problem.Answer!);
        if (ArithmeticTask.IsRight(completion))
            return "";
        if (given.Length == 0)
            return "0";
        return $"{1 + given.Reverse().Zip(right.Reverse()).TakeWhile(pair => pair.First == pair.Second).Count()}";
    }

    private static string Answer(string text) =>
        AnswerExtraction.Extract(text, AnswerPlaces.Tags) is { Length: <= LongestAnswer } answer && answer.All(char.IsAsciiDigit)
            ? answer
            : "";
}
