#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Preference optimisation: DPO, any of its family, and the methods without a reference or without pairs.
//   dotnet run -c Release samples/experiments/dpo.cs [-- --loss ipo --beta 0.1 --model DIR --data FILE --lora 8 --steps N --output DIR]
// Records: chosen and rejected, texts or messages, with a prompt or an instruction or without: docs/data.md. With --loss kto also prompt,
// completion and label.
using PostTrain.Adapters;
using PostTrain.Data;
using PostTrain.Data.Records;
using PostTrain.Models;
using PostTrain.Preference;
using PostTrain.Rewards;
using PostTrain.Samples.Support;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

const int toyPairs = 4000;
var family = PreferenceLossNames.Dpo;
string[] names = [.. family.Keys, "cpo", "simpo", "alphapo", "orpo", "kto"];

var command = new SampleCommand("dpo", $"Learns from preferences. Losses: {string.Join(", ", names)}.", steps: 150);
var lossName = command.Option("--loss", "Which of the family.", "sigmoid");
var beta = command.Option<double?>(
    "--beta",
    "How near the policy is held to the reference; the method's own by default.",
    null,
    OptionRange.AtLeast(0)
);
var rank = command.Option(
    "--lora",
    "Rank of a LoRA adapter, whose base is then the reference; 0 trains the whole model.",
    0,
    OptionRange.AtLeast(0)
);
var rate = command.Option<double?>(
    "--learning-rate",
    "By default what suits the model's width: 3e-4 at 64, less in wider models.",
    null,
    OptionRange.Positive
);
var batch = command.Option("--batch-size", "Pairs in a step.", 32, OptionRange.AtLeast(1));
var template = command.Option("--template", UserData.TemplateHelp, "alpaca");
return await command.RunAsync(
    args,
    (run, values) =>
    {
        string loss = values.GetValue(lossName)!;
        if (!names.Contains(loss))
            throw new ArgumentException($"--loss is '{loss}', expected {string.Join(", ", names)}");
        using var subject = Subject.Load(run);
        var problems = ArithmeticTask.Problems(run.HeldOut, heldOut: true, run.Seed);
        int longest = subject.Model.ContextLength;
        bool isKto = loss == "kto";
        var (train, heldOut) =
            isKto && run.Data is not null ? ([], [])
            : run.Data is null
                ? (
                    ArithmeticTask.Pairs(ArithmeticTask.Problems(toyPairs, heldOut: false, run.Seed), run.Seed),
                    ArithmeticTask.Pairs(problems, run.Seed + 1)
                )
            : UserPairs(run.Data);
        var (judged, judgedHeldOut) =
            !isKto ? ([], [])
            : run.Data is null ? (Verdicts(train), Verdicts(heldOut))
            : UserJudged(run.Data);
        if (run.Data is null)
            JsonLines.Write(run.PathOf("data.jsonl"), train);
        else
            problems =
            [
                .. heldOut
                    .Select(pair => pair.Prompt)
                    .Concat(judgedHeldOut.Select(item => item.Prompt))
                    .Distinct()
                    .Select(prompt => new Problem(prompt)),
            ];
        string learnt = isKto
            ? $"{judged.Count} judged completions; {judgedHeldOut.Count} are held out"
            : $"{train.Count} pairs; {heldOut.Count} are held out";
        Console.WriteLine($"learns from {learnt}");

        using var adapters = values.GetValue(rank) is var r and > 0
            ? AdaptedModel.Attach(
                subject.Model,
                new LoraOptions
                {
                    Targets = ModuleSelection.AllLinear,
                    Rank = r,
                    Alpha = 2 * r,
                    BaseModel = subject.Folder,
                }
            )
            : null;
        bool needsReference = family.ContainsKey(loss) || loss == "kto";
        using var frozen = needsReference && adapters is null ? subject.Again() : null;
        var reference =
            adapters is not null ? adapters.Reference(subject.Model)
            : frozen is null ? null
            : ReferencePolicy.Of(frozen);

        var before = Measure.Answers(subject.Model, subject.Tokenizer, problems);
        IReadOnlyList<StepReport> reports;
        Estimate margin = default;
        Proportion ranked = new(0, 0);
        if (isKto)
        {
            var options = Common(new KtoOptions { Beta = values.GetValue(beta) ?? 0.1 });
            using var trainer = new KtoTrainer(subject.Model, subject.Tokenizer, reference!, (KtoOptions)options);
            reports = run.Train(loss, run.Steps, trainer.Run(judged, judgedHeldOut, run.Cancellation));
        }
        else
        {
            using PairTrainer trainer = loss switch
            {
                "orpo" => new OrpoTrainer(
                    subject.Model,
                    subject.Tokenizer,
                    (OrpoOptions)Common(values.GetValue(beta) is { } b ? new OrpoOptions { Lambda = b } : new())
                ),
                "cpo" => Cpo(CpoObjective.Cpo()),
                "simpo" => Cpo(CpoObjective.Simpo()),
                "alphapo" => Cpo(CpoObjective.AlphaPo()),
                _ => new DpoTrainer(
                    subject.Model,
                    subject.Tokenizer,
                    reference,
                    (DpoOptions)Common(new DpoOptions { Loss = family[loss], Beta = values.GetValue(beta) ?? 0.1 })
                ),
            };
            reports = run.Train(loss, run.Steps, trainer.Run(train, heldOut, run.Cancellation));
            var evaluated = heldOut.Select(pair => trainer.Evaluate([pair])).ToArray();
            margin = Estimate.Of([.. evaluated.Select(metrics => metrics["eval/reward/margin"])]);
            ranked = new Proportion(evaluated.Count(metrics => metrics["eval/reward/accuracy"] > 0.5), evaluated.Length);

            CpoTrainer Cpo(CpoObjective objective) =>
                new(
                    subject.Model,
                    subject.Tokenizer,
                    (CpoOptions)Common(
                        new CpoOptions { Objective = values.GetValue(beta) is { } b ? objective with { Beta = b } : objective }
                    )
                );
        }

        var after = Measure.Answers(subject.Model, subject.Tokenizer, problems);
        adapters?.Save(run.PathOf("adapter"));
        adapters?.MergeAndDispose();
        subject.Save(subject.Model, run.PathOf("model"));

        var (right, rightBefore) = (Measure.Right(after), Measure.Right(before));
        var rows = new List<string[]>();
        if (subject.IsToy)
        {
            rows.Add(["right answers before", rightBefore.ToString()]);
            rows.Add(["right answers after", right.ToString()]);
        }
        if (ranked.Trials > 0)
        {
            rows.Add(["pairs whose chosen side has the higher implicit reward", ranked.ToString()]);
            rows.Add(["margin of implicit rewards", margin.ToString()]);
        }
        rows.AddRange(
            from name in (string[])["reward/chosen", "reward/rejected", "logp/chosen", "logp/rejected"]
            let last = reports.LastOrDefault(report => report.Metrics.ContainsKey("eval/" + name))
            where last is not null
            select (string[])
                [
                    $"{(name.StartsWith("reward", StringComparison.Ordinal) ? "implicit reward" : "log-probability")} of "
                        + $"{name[(name.IndexOf('/') + 1)..]} completions",
                    Format.Number(last.Metrics["eval/" + name]),
                ]
        );
        var table = new ReportTable(["held out", "value"], rows);
        ConsoleTable.Print(table);
        var page = run.Page($"Preference optimisation: {loss}", $"{subject.Name} learns from {learnt}.")
            .Tiles(RunReport.Tiles(reports))
            .Table("Held out", table);
        if (subject.IsToy)
            page.Proportions(
                "Right answers to held-out sums",
                new NamedProportion("before", rightBefore),
                new NamedProportion("after", right)
            );
        page.Run(reports)
            .Paragraph(
                "Both log-probabilities may fall while the margin rises: the loss sees their difference only. rpo, irpo, mpo and "
                    + "orpo hold the chosen one up."
            )
            .Completions("The same held-out prompts, before and after", Measure.Pairs(before, after));
        var summary = new Dictionary<string, object> { ["loss"] = loss, ["held_out"] = isKto ? judgedHeldOut.Count : heldOut.Count };
        if (subject.IsToy)
            (
                summary["accuracy_before"],
                summary["accuracy_before_interval"],
                summary["accuracy_after"],
                summary["accuracy_after_interval"]
            ) = (rightBefore.Value, rightBefore.Interval(), right.Value, right.Interval());
        if (ranked.Trials > 0)
            (summary["chosen_above_rejected"], summary["chosen_above_rejected_interval"], summary["margin"], summary["margin_interval"]) = (
                ranked.Value,
                ranked.Interval(),
                margin.Mean,
                margin.Interval
            );
        run.Finish(page, summary);
        return Task.CompletedTask;

        (IReadOnlyList<PreferencePair> Train, IReadOnlyList<PreferencePair> HeldOut) UserPairs(string path)
        {
            var pairs = RecordReader.Pairs(path, UserData.Template(values.GetValue(template)!, subject.Folder));
            var fitting = UserData.Fitting(
                pairs,
                subject.Tokenizer,
                subject.Model.ContextLength,
                pair => [pair.Prompt + pair.Chosen, pair.Prompt + pair.Rejected]
            );
            longest = fitting.Longest;
            return fitting.Split(run.HeldOut);
        }

        (IReadOnlyList<JudgedCompletion> Train, IReadOnlyList<JudgedCompletion> HeldOut) UserJudged(string path)
        {
            var items = RecordReader.Judged(path, UserData.Template(values.GetValue(template)!, subject.Folder));
            var fitting = UserData.Fitting(items, subject.Tokenizer, subject.Model.ContextLength, item => [item.Prompt + item.Completion]);
            longest = fitting.Longest;
            return fitting.Split(run.HeldOut);
        }

        static IReadOnlyList<JudgedCompletion> Verdicts(IReadOnlyList<PreferencePair> pairs) =>
            [
                .. pairs.SelectMany(pair =>
                    (JudgedCompletion[])[new(pair.Prompt, pair.Chosen, true), new(pair.Prompt, pair.Rejected, false)]
                ),
            ];

        PreferenceOptions Common(PreferenceOptions options) =>
            options with
            {
                Steps = run.Steps,
                BatchSize = values.GetValue(batch),
                LearningRate = values.GetValue(rate) ?? subject.Rate(3e-4),
                // Two rows a pair. Losses that compare the pairs of a batch with each other need it whole.
                MicroBatchSize = loss.StartsWith("aot", StringComparison.Ordinal) ? null : Math.Max(1, run.MicroBatch(longest) / 2),
                WarmupSteps = run.Steps / 10,
                Schedule = LearningRateSchedule.Cosine,
                Evaluation = new EvaluationOptions { Every = Math.Max(1, run.Steps / 10) },
                Seed = run.Seed,
            };
    }
);
