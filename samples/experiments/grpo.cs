#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Policy optimisation without a critic: any preset, any of the four schemes of rewards.
//   dotnet run -c Release samples/experiments/grpo.cs [-- --preset dapo --reward step --model DIR --data FILE --lora 8 --steps N --output
// DIR]
// Records: question or prompt, and answer (of GSM8K's, what follows ####), and others: docs/data.md.
using PostTrain.Data;
using PostTrain.Data.Records;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Samples.Support;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

var presets = PolicyObjectiveNames.All;

var command = new SampleCommand("grpo", $"Reinforcement learning without a critic. Presets: {string.Join(", ", presets.Keys)}.", steps: 60);
var presetName = command.Option("--preset", "The method.", "grpo");
var rewardName = command.Option("--reward", "binary, step, consistency or preference.", "binary");
var group = command.Option("--group", "Completions of a prompt.", 8, OptionRange.AtLeast(1));
var batch = command.Option<int?>("--batch-size", "Prompts in a step; by default 32 of the toy, 8 of others.", null, OptionRange.AtLeast(1));
var updates = command.Option("--updates", "Updates on each batch.", 1, OptionRange.AtLeast(1));
var beta = command.Option("--beta", "Weight of the divergence from the model as it was.", 0.0, OptionRange.AtLeast(0));
var rank = command.Option("--lora", "Rank of a LoRA adapter; 0 trains the whole model.", 0, OptionRange.AtLeast(0));
var rate = command.Option<double?>(
    "--learning-rate",
    "By default what suits the model's width: 1e-3 at 64, less in wider models.",
    null,
    OptionRange.Positive
);
var tokens = command.Option("--tokens", "Most tokens of a completion.", 48, OptionRange.AtLeast(1));
var template = command.Option("--template", UserData.TemplateHelp, "plain");
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        string preset = values.GetValue(presetName)!;
        if (!presets.TryGetValue(preset, out var objective))
            throw new ArgumentException($"--preset is '{preset}', expected {string.Join(", ", presets.Keys)}");
        using var subject = Subject.Load(run);
        var places = subject.IsToy ? AnswerPlaces.Tags : AnswerPlaces.Any;
        var scheme = RewardScheme.Of(values.GetValue(rewardName)!, places, subject.IsToy ? ";" : "\n");
        var (train, heldOut, longest) = ProblemData.Load(run, subject, values.GetValue(template)!, values.GetValue(tokens));
        using var adapters = subject.Adapted(values.GetValue(rank));
        using var frozen = adapters is null ? subject.Again() : null;
        var reference = frozen is not null ? ReferencePolicy.Of(frozen) : adapters!.Reference(subject.Model);
        var reward = subject.IsToy
            ? Reward.Weighted((1, scheme.Signal), (0.1, Reward.Format(@"(<think>[^<]*</think>)?<answer>[0-9]+</answer>")))
            : scheme.Signal;
        var options = new GrpoOptions
        {
            Steps = run.Steps,
            BatchSize = values.GetValue(batch) ?? (subject.IsToy ? 32 : 8),
            GroupSize = values.GetValue(group),
            UpdatesPerBatch = values.GetValue(updates),
            LearningRate = values.GetValue(rate) ?? subject.Rate(1e-3),
            MicroBatchSize = run.MicroBatch(longest),
            CompletionObservers = [run.Completions],
            Schedule = LearningRateSchedule.Linear,
            Objective = objective(values.GetValue(tokens)) with { Beta = values.GetValue(beta) },
            DynamicSampling = preset == "dapo" ? new DynamicSampling { MaxDraws = 3 } : null,
            Overlong = preset == "dapo" ? new OverlongPenalty { Buffer = Math.Max(1, values.GetValue(tokens) / 4) } : null,
            Sampling = subject.Sampling(values.GetValue(tokens)),
            Seed = run.Seed,
        };

        // The proxy that is trained on, and the truth: both before and after.
        var truth = Reward.MathAnswer(new MathAnswerOptions { Places = places });
        var before = Sampled.Completions(subject.Model, subject.Tokenizer, heldOut, options.Sampling, run.Seed);
        IReadOnlyList<StepReport> reports;
        using (var trainer = new GrpoTrainer(subject.Model, subject.Tokenizer, reward, options with { Reference = reference }))
            reports = await run.TrainAsync(
                $"{preset}, {scheme.Name} reward",
                run.Steps,
                trainer.RunAsync(train, cancellation: run.Cancellation)
            );
        var after = Sampled.Completions(subject.Model, subject.Tokenizer, heldOut, options.Sampling, run.Seed);
        subject.Save(run, adapters);

        var (rightBefore, right) = (await RightAsync(before), await RightAsync(after));
        var table = new ReportTable(
            ["held out", "right answers", "tokens"],
            [
                (string[])
                    [
                        "before",
                        rightBefore.ToString(),
                        Estimate.Of([.. before.Select(completion => (double)completion.Tokens.Length)]).ToString(),
                    ],
                (string[])
                    ["after", right.ToString(), Estimate.Of([.. after.Select(completion => (double)completion.Tokens.Length)]).ToString()],
            ]
        );
        ConsoleTable.Print(table);
        run.Finish(
            run.Page(
                    $"{options.Objective.Name} with the {scheme.Name} reward",
                    $"{subject.Name}. Rewarded: {scheme.Rule}. How that fails: {scheme.Failure}"
                )
                .Tiles(RunReport.Tiles(reports))
                .Table("Held-out problems, one sampled answer each", table)
                .Proportions("Right answers", new NamedProportion("before", rightBefore), new NamedProportion("after", right))
                .Completions("The same held-out prompts, before and after", Measure.Pairs(before, after, places))
                .Run(reports, completions: run.LoggedCompletions),
            new Dictionary<string, object>
            {
                ["preset"] = preset,
                ["reward"] = scheme.Name,
                ["accuracy_before"] = rightBefore.Value,
                ["accuracy_before_interval"] = rightBefore.Interval(),
                ["accuracy_after"] = right.Value,
                ["accuracy_after_interval"] = right.Interval(),
                ["reward_first"] = reports[0].Metrics["reward/mean"],
                ["reward_last"] = reports[^1].Metrics["reward/mean"],
                ["held_out"] = heldOut.Count,
            }
        );

        async Task<Proportion> RightAsync(IReadOnlyList<Completion> completions)
        {
            var scores = await truth.ScoreAsync(completions, RewardContext.None, run.Cancellation);
            return new Proportion(scores.Values.Count(value => value > 0.5), completions.Count);
        }
    }
);
