#:project support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Preference optimisation: DPO, any of its family, and the methods without a reference or without pairs.
//   dotnet run -c Release samples/dpo.cs [-- --loss ipo --beta 0.1 --model DIR --data FILE --lora 8 --steps N --output DIR]
// Records: chosen and rejected with a prompt or an instruction; without either, what both begin with is the prompt.
using PostTrain.Adapters;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Preference;
using PostTrain.Rewards;
using PostTrain.Samples.Support;
using PostTrain.Training;
using PostTrain.Training.Reports;

const int toyPairs = 4000;
var family = new Dictionary<string, DpoLoss>
{
    ["sigmoid"] = DpoLoss.Sigmoid(),
    ["cdpo"] = DpoLoss.Sigmoid(labelSmoothing: 0.1),
    ["robust"] = DpoLoss.Robust(0.1),
    ["sigmoid_norm"] = DpoLoss.SigmoidNormalized,
    ["hinge"] = DpoLoss.Hinge,
    ["ipo"] = DpoLoss.Ipo(),
    ["exo_pair"] = DpoLoss.ExoPair(),
    ["nca_pair"] = DpoLoss.NcaPair,
    ["bco_pair"] = DpoLoss.BcoPair,
    ["sppo_hard"] = DpoLoss.SppoHard,
    ["aot"] = DpoLoss.Aot(),
    ["aot_unpaired"] = DpoLoss.AotUnpaired(),
    ["apo_zero"] = DpoLoss.ApoZero,
    ["apo_down"] = DpoLoss.ApoDown,
    ["discopop"] = DpoLoss.DiscoPop(),
    ["mpo"] = DpoLoss.Mpo(),
    ["rpo"] = DpoLoss.Rpo(),
    ["irpo"] = DpoLoss.Irpo(),
};
string[] names = [.. family.Keys, "cpo", "simpo", "alphapo", "orpo", "kto"];

var command = new SampleCommand("dpo", $"Learns from preferences. Losses: {string.Join(", ", names)}.", steps: 150);
var lossName = command.Option("--loss", "Which of the family.", "sigmoid");
var beta = command.Option<double?>("--beta", "How near the policy is held to the reference; the method's own by default.", null);
var rank = command.Option("--lora", "Rank of a LoRA adapter, whose base is then the reference; 0 trains the whole model.", 0);
var rate = command.Option("--learning-rate", "Learning rate.", 3e-4);
var batch = command.Option("--batch-size", "Pairs in a step.", 32);
var template = command.Option("--template", "Of instructions: plain, alpaca, chat, or a format with {instruction} and {input}.", "alpaca");
return await command.RunAsync(args, (run, values) =>
{
    string loss = values.GetValue(lossName)!;
    if (!names.Contains(loss)) throw new ArgumentException($"--loss is '{loss}', expected {string.Join(", ", names)}");
    using var subject = Subject.Load(run);
    var problems = ArithmeticTask.Problems(run.HeldOut, heldOut: true, run.Seed);
    var (train, heldOut) = run.Data is null
        ? (ArithmeticTask.Pairs(ArithmeticTask.Problems(toyPairs, heldOut: false, run.Seed), run.Seed), ArithmeticTask.Pairs(problems, run.Seed + 1))
        : UserData.Split(UserData.Fitting(UserData.Pairs(run.Data, InstructionTemplate.Of(values.GetValue(template)!, subject.Folder)), subject.Tokenizer,
            subject.Model.ContextLength, pair => [pair.Prompt + pair.Chosen, pair.Prompt + pair.Rejected]), run.HeldOut);
    if (run.Data is null) JsonLines.Write(run.PathOf("data.jsonl"), train);
    else problems = [.. heldOut.Select(pair => new Problem(pair.Prompt))];

    using var adapters = values.GetValue(rank) is var r and > 0
        ? AdaptedModel.Attach(subject.Model, new LoraOptions { Targets = ModuleSelection.AllLinear, Rank = r, Alpha = 2 * r, BaseModel = subject.Folder })
        : null;
    bool needsReference = family.ContainsKey(loss) || loss == "kto";
    using var frozen = needsReference && adapters is null ? subject.Again() : null;
    var reference = adapters is not null ? ReferencePolicy.WithoutAdapter(subject.Model, adapters.Disabled) : frozen is null ? null : ReferencePolicy.Of(frozen);

    var before = Measure.Answers(subject.Model, subject.Tokenizer, problems);
    IReadOnlyList<StepReport> reports;
    Estimate margin = default;
    Proportion ranked = new(0, 0);
    if (loss == "kto")
    {
        JudgedCompletion[] Judged(IReadOnlyList<PreferencePair> pairs) => [.. pairs.SelectMany(pair => (JudgedCompletion[])[new(pair.Prompt, pair.Chosen, true), new(pair.Prompt, pair.Rejected, false)])];
        var options = Common(new KtoTrainerOptions { Objective = values.GetValue(beta) is { } b ? new KtoOptions { Beta = b } : new() });
        using var trainer = new KtoTrainer(subject.Model, subject.Tokenizer, (KtoTrainerOptions)options, reference!);
        reports = run.Train(loss, run.Steps, trainer.Run(Judged(train), Judged(heldOut), run.Cancellation));
    }
    else
    {
        using PairTrainer trainer = loss switch
        {
            "orpo" => new OrpoTrainer(subject.Model, subject.Tokenizer, (OrpoTrainerOptions)Common(values.GetValue(beta) is { } b ? new OrpoTrainerOptions { Lambda = b } : new())),
            "cpo" => Cpo(CpoOptions.Cpo()),
            "simpo" => Cpo(CpoOptions.Simpo()),
            "alphapo" => Cpo(CpoOptions.AlphaPo()),
            _ => new DpoTrainer(subject.Model, subject.Tokenizer,
                (DpoTrainerOptions)Common(new DpoTrainerOptions { Objective = new DpoOptions { Loss = family[loss], Beta = values.GetValue(beta) ?? 0.1 } }), reference),
        };
        reports = run.Train(loss, run.Steps, trainer.Run(train, heldOut, run.Cancellation));
        var judged = heldOut.Select(pair => trainer.Evaluate([pair])).ToArray();
        margin = Estimate.Of([.. judged.Select(metrics => metrics["eval/reward/margin"])]);
        ranked = new Proportion(judged.Count(metrics => metrics["eval/reward/accuracy"] > 0.5), judged.Length);

        CpoTrainer Cpo(CpoOptions objective) => new(subject.Model, subject.Tokenizer,
            (CpoTrainerOptions)Common(new CpoTrainerOptions { Objective = values.GetValue(beta) is { } b ? objective with { Beta = b } : objective }));
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
    rows.AddRange(from name in (string[])["reward/chosen", "reward/rejected", "logp/chosen", "logp/rejected"]
                  let last = reports.LastOrDefault(report => report.Metrics.ContainsKey("eval/" + name))
                  where last is not null
                  select (string[])[$"{name}, held out", Format.Number(last.Metrics["eval/" + name])]);
    var table = new ReportTable(["held out", "value"], rows);
    ConsoleTable.Print(table);
    var page = run.Page($"Preference optimisation: {loss}", $"{subject.Name} learns from {train.Count} pairs; {heldOut.Count} are held out.").Table("Held-out pairs", table);
    if (subject.IsToy) page.Proportions("Right answers to held-out sums", new NamedProportion("before", rightBefore), new NamedProportion("after", right));
    page.Curves("Training",
            new CurveChart("Loss", "", [CurveSeries.Of(reports, "loss", "training"), CurveSeries.Of(reports, "eval/loss", "held out")]),
            new CurveChart("Implicit reward", "", [CurveSeries.Of(reports, "reward/chosen", "chosen"), CurveSeries.Of(reports, "reward/rejected", "rejected")]),
            new CurveChart("Log-probability of a completion", "nats", [CurveSeries.Of(reports, "logp/chosen", "chosen"), CurveSeries.Of(reports, "logp/rejected", "rejected")]),
            new CurveChart("Chosen above rejected", "share", [CurveSeries.Of(reports, "reward/accuracy", "training"), CurveSeries.Of(reports, "eval/reward/accuracy", "held out")]),
            new CurveChart("Gradient norm", "", CurveSeries.Of(reports, "grad_norm")))
        .Paragraph("Both log-probabilities may fall while the margin rises: the loss sees their difference only. rpo, irpo, mpo and orpo hold the chosen one up.")
        .Completions("The same held-out prompts, before and after", Measure.Pairs(before, after));
    var summary = new Dictionary<string, object> { ["loss"] = loss, ["held_out"] = heldOut.Count };
    if (subject.IsToy)
        (summary["accuracy_before"], summary["accuracy_before_interval"], summary["accuracy_after"], summary["accuracy_after_interval"]) = (rightBefore.Value, rightBefore.Interval(), right.Value, right.Interval());
    if (ranked.Trials > 0)
        (summary["chosen_above_rejected"], summary["chosen_above_rejected_interval"], summary["margin"], summary["margin_interval"]) = (ranked.Value, ranked.Interval(), margin.Mean, margin.Interval);
    run.Finish(page, summary);
    return Task.CompletedTask;

    PreferenceTrainerOptions Common(PreferenceTrainerOptions options) => options with
    {
        Steps = run.Steps,
        BatchSize = values.GetValue(batch),
        LearningRate = values.GetValue(rate),
        WarmupSteps = run.Steps / 10,
        Schedule = LearningRateSchedule.Cosine,
        Evaluation = new EvaluationOptions { Every = Math.Max(1, run.Steps / 10) },
        Seed = run.Seed,
    };
});
