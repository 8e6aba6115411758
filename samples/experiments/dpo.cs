#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Preference optimisation: DPO, any of its family, and the methods without a reference or without pairs.
//   dotnet run -c Release samples/experiments/dpo.cs [-- --loss ipo --beta 0.1 --model DIR --data FILE --lora 8 --steps N --output DIR]
// Records: chosen and rejected, texts or messages, with a prompt or an instruction or without: docs/data.md. With --loss kto also prompt,
// completion and label.
using PostTrain.Preference;
using PostTrain.Samples.Support;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

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
        var (model, tokenizer) = (subject.Model, subject.Tokenizer);
        var data = PreferenceData.Load(run, subject, values.GetValue(template)!, judged: loss == "kto");
        Console.WriteLine($"learns from {data}");
        using var adapters = subject.Adapted(values.GetValue(rank));
        bool needsReference = family.ContainsKey(loss) || loss == "kto";
        using var frozen = needsReference && adapters is null ? subject.Again() : null;
        var reference = adapters is null ? frozen : adapters.Reference(model);

        var before = Measure.Answers(model, tokenizer, data.Problems);
        IReadOnlyList<StepReport> reports;
        Estimate margin = default;
        Proportion ranked = new(0, 0);
        double? given = values.GetValue(beta);
        if (data.Judged is { } judged)
        {
            using var trainer = new KtoTrainer(model, tokenizer, reference!, Common(new KtoOptions { Beta = given ?? 0.1 }));
            reports = run.Train(loss, run.Steps, trainer.Run(judged, data.JudgedHeldOut, run.Cancellation));
        }
        else
        {
            using PairTrainer trainer = loss switch
            {
                "orpo" => new OrpoTrainer(
                    model,
                    tokenizer,
                    Common(given is { } lambda ? new OrpoOptions { Lambda = lambda } : new OrpoOptions())
                ),
                "cpo" => Cpo(CpoObjective.Cpo()),
                "simpo" => Cpo(CpoObjective.Simpo()),
                "alphapo" => Cpo(CpoObjective.AlphaPo()),
                _ => new DpoTrainer(model, tokenizer, reference, Common(new DpoOptions { Loss = family[loss], Beta = given ?? 0.1 })),
            };
            reports = run.Train(loss, run.Steps, trainer.Run(data.Train, data.HeldOut, run.Cancellation));
            var evaluated = data.HeldOut.Select(pair => trainer.Evaluate([pair])).ToArray();
            margin = Estimate.Of([.. evaluated.Select(metrics => metrics["eval/reward/margin"])]);
            ranked = new Proportion(evaluated.Count(metrics => metrics["eval/reward/accuracy"] > 0.5), evaluated.Length);
        }
        var after = Measure.Answers(model, tokenizer, data.Problems);
        subject.Save(run, adapters);

        var (right, rightBefore) = (Measure.Right(after), Measure.Right(before));
        var table = new ReportTable(["held out", "value"], Rows());
        ConsoleTable.Print(table);
        var page = run.Page($"Preference optimisation: {loss}", $"{subject.Name} learns from {data}.")
            .Tiles(RunReport.Tiles(reports))
            .Table("Held out", table);
        var summary = new Dictionary<string, object> { ["loss"] = loss, ["held_out"] = data.HeldOutCount };
        if (subject.IsToy)
        {
            page.Proportions(
                "Right answers to held-out sums",
                new NamedProportion("before", rightBefore),
                new NamedProportion("after", right)
            );
            Measure.AddAccuracy(summary, rightBefore, right);
        }
        page.Run(reports)
            .Paragraph(
                "Both log-probabilities may fall while the margin rises: the loss sees their difference only. rpo, irpo, mpo and "
                    + "orpo hold the chosen one up."
            )
            .Completions("The same held-out prompts, before and after", Measure.Pairs(before, after));
        if (ranked.Trials > 0)
        {
            (summary["chosen_above_rejected"], summary["chosen_above_rejected_interval"]) = (ranked.Value, ranked.Interval());
            (summary["margin"], summary["margin_interval"]) = (margin.Mean, margin.Interval);
        }
        run.Finish(page, summary);
        return Task.CompletedTask;

        CpoTrainer Cpo(CpoObjective objective) =>
            new(model, tokenizer, Common(new CpoOptions { Objective = given is { } value ? objective with { Beta = value } : objective }));

        T Common<T>(T options)
            where T : PreferenceOptions =>
            (T)(
                options with
                {
                    Steps = run.Steps,
                    BatchSize = values.GetValue(batch),
                    LearningRate = values.GetValue(rate) ?? subject.Rate(3e-4),
                    // Two rows a pair. Losses that compare the pairs of a batch with each other need it whole.
                    MicroBatchSize = loss.StartsWith("aot", StringComparison.Ordinal)
                        ? null
                        : Math.Max(1, run.MicroBatch(data.Longest) / 2),
                    WarmupSteps = run.Steps / 10,
                    Schedule = LearningRateSchedule.Cosine,
                    Evaluation = new EvaluationOptions { Every = Math.Max(1, run.Steps / 10) },
                    Seed = run.Seed,
                }
            );

        IReadOnlyList<string[]> Rows()
        {
            var rows = new List<string[]>();
            if (subject.IsToy)
                rows.AddRange([
                    ["right answers before", $"{rightBefore}"],
                    ["right answers after", $"{right}"],
                ]);
            if (ranked.Trials > 0)
                rows.AddRange([
                    ["pairs whose chosen side has the higher implicit reward", $"{ranked}"],
                    ["margin of implicit rewards", $"{margin}"],
                ]);
            foreach (var (kind, name) in ((string, string)[])[("reward", "implicit reward"), ("logp", "log-probability")])
            foreach (var side in (ReadOnlySpan<string>)["chosen", "rejected"])
                if (reports.LastOrDefault(report => report.Metrics.ContainsKey($"eval/{kind}/{side}")) is { } last)
                    rows.Add([$"{name} of {side} completions", Format.Number(last.Metrics[$"eval/{kind}/{side}"])]);
            return rows;
        }
    }
);
