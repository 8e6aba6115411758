#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Online preference optimisation: the policy writes, a rule or a judge says which completion is the better one, the policy learns from the
// pair. Online DPO, XPO, Nash-MD; beside it DPO on as many pairs that the policy wrote before it learnt anything.
//   dotnet run -c Release samples/experiments/online-dpo.cs [-- --method xpo --reward judge --model DIR --data FILE --steps N --output DIR]
// Records: question or prompt, and answer: docs/data.md. The judges are scripts; put a client of yours in their place.
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.Preference.Online;
using PostTrain.Rewards;
using PostTrain.Rewards.Judges;
using PostTrain.Rollouts;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

var methods = new Dictionary<string, OnlineMethod>
{
    ["online-dpo"] = OnlineMethod.Dpo,
    ["xpo"] = OnlineMethod.Xpo(),
    ["nash-md"] = OnlineMethod.NashMd(),
};
var command = new SampleCommand(
    "online-dpo",
    $"Learns from preferences between its own completions. Methods: {string.Join(", ", methods.Keys)}.",
    steps: 100
);
var methodName = command.Option(
    "--method",
    "Whom the policy is compared with: itself, the model as it was, a mixture of both.",
    "online-dpo"
);
var rewardName = command.Option(
    "--reward",
    "rule (the right answer) or judge (a script: it checks the toy's sums, with errors; elsewhere it likes shown work).",
    "rule"
);
var errors = command.Option("--errors", "Share of the pairs that the judge of sums takes the wrong way.", 0.1, OptionRange.Between(0, 1));
var group = command.Option(
    "--group",
    "Completions of a prompt, the best and the worst of which are compared; xpo and nash-md compare two.",
    4,
    OptionRange.AtLeast(2)
);
var beta = command.Option("--beta", "How near the policy is held to the model as it was.", 0.1, OptionRange.AtLeast(0));
var scale = command.Option(
    "--scale",
    "Of nash-md, which takes differences of rewards as log-odds: what a difference of 1 counts.",
    4.0,
    OptionRange.Positive
);
var firstSteps = command.Option("--sft-steps", "Steps of supervised fine-tuning before, on the toy only.", 40, OptionRange.AtLeast(0));
var rate = command.Option<double?>(
    "--learning-rate",
    "By default what suits the model's width: 3e-4 at 64, less in wider models.",
    null,
    OptionRange.Positive
);
var batch = command.Option("--batch-size", "Prompts in a step.", 16, OptionRange.AtLeast(1));
var tokens = command.Option("--tokens", "Most tokens of a completion.", 48, OptionRange.AtLeast(1));
var template = command.Option("--template", UserData.TemplateHelp, "plain");
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        string method = values.GetValue(methodName)!;
        if (!methods.TryGetValue(method, out var opponent))
            throw new ArgumentException($"--method is '{method}', expected {string.Join(", ", methods.Keys)}");
        int compared = opponent == OnlineMethod.Dpo ? values.GetValue(group) : 2;
        using var subject = Subject.Load(run);
        var right = Reward.MathAnswer(
            new MathAnswerOptions { Name = "right", Places = subject.IsToy ? AnswerPlaces.Tags : AnswerPlaces.Any }
        );
        using var client = subject.IsToy ? ScriptedJudge.OfSums(values.GetValue(errors)) : ScriptedJudge.OfStyle();
        var signal = values.GetValue(rewardName) switch
        {
            "rule" => right,
            "judge" => Judge.Pairwise(client),
            var name => throw new ArgumentException($"--reward is '{name}', expected rule or judge"),
        };
        var (train, heldOut, longest) = ProblemData.Load(run, subject, values.GetValue(template)!, values.GetValue(tokens));
        var sampling = new SamplingOptions { MaxNewTokens = values.GetValue(tokens) };
        if (subject.IsToy)
        {
            // The base model of the toy is no assistant yet; its teacher slips now and then, so that something is left to learn.
            using var trainer = new SftTrainer(
                subject.Model,
                subject.Tokenizer,
                Common(new SftOptions(), values.GetValue(firstSteps), 32, subject.Rate(1e-3))
            );
            run.Train(
                "supervised fine-tuning",
                values.GetValue(firstSteps),
                trainer.Run(ArithmeticTask.Drafts(train, run.Seed + 2), cancellation: run.Cancellation),
                "sft"
            );
        }
        using Decoder first = subject.Model.Copy(),
            offline = subject.Model.Copy();
        var reference = ReferencePolicy.Of(first);
        double policyRate = values.GetValue(rate) ?? subject.Rate(3e-4);
        var dpo = new DpoObjective { Beta = values.GetValue(beta) };

        // Offline: one pair of each prompt that the online run will ask, written before it. Prompts without a better completion give none;
        // each pair is seen about once.
        var (pairs, asked) = await PairsAsync();
        int pairsOfStep = Math.Max(1, (int)Math.Round(pairs.Length / (double)run.Steps));
        IReadOnlyList<StepReport> offlineReports;
        using (
            var trainer = new DpoTrainer(
                offline,
                subject.Tokenizer,
                reference,
                Common(new DpoOptions { Beta = dpo.Beta }, run.Steps, pairsOfStep, policyRate, rows: 2)
            )
        )
            offlineReports = run.Train(
                "DPO on the first policy's pairs",
                run.Steps,
                trainer.Run(pairs, cancellation: run.Cancellation),
                "offline"
            );

        var options = Common(
            new OnlineDpoOptions
            {
                Method = opponent,
                GroupSize = compared,
                Objective = dpo,
                Sampling = sampling,
                CompletionObservers = [run.Completions],
            },
            run.Steps,
            values.GetValue(batch),
            policyRate
        );
        IReadOnlyList<StepReport> reports;
        using (
            var trainer = new OnlineDpoTrainer(
                subject.Model,
                subject.Tokenizer,
                method == "nash-md" ? Reward.Weighted((values.GetValue(scale), signal)) : signal,
                options with
                {
                    Reference = reference,
                }
            )
        )
            reports = await run.TrainAsync(method, run.Steps, trainer.RunAsync(train, cancellation: run.Cancellation), method);
        subject.Save(run);

        var (before, afterOffline, after) = (Draw(first), Draw(offline), Draw(subject.Model));
        var (hitsBefore, hitsOffline, hits) = (await HitsAsync(before), await HitsAsync(afterOffline), await HitsAsync(after));
        string trained = $"DPO on {pairs.Length} pairs of the first policy";
        var table = new ReportTable(
            ["held out", "right answers", "minus before"],
            [
                (string[])["before", Share(hitsBefore).ToString(), "–"],
                (string[])[trained, Share(hitsOffline).ToString(), Estimate.OfDifference(hitsOffline, hitsBefore).ToString()],
                (string[])[method, Share(hits).ToString(), Estimate.OfDifference(hits, hitsBefore).ToString()],
                (string[])[$"{method} − DPO", "–", Estimate.OfDifference(hits, hitsOffline).ToString()],
            ]
        );
        ConsoleTable.Print(table);
        const string reading =
            "One sampled answer to each held-out problem; differences are problem by problem. Where an interval does not "
            + "hold 0 the two differ, in this one run.";
        Console.WriteLine(reading);
        string judged = values.GetValue(rewardName) == "rule" ? "a rule: the right answer" : "the script of a judge, asked in both orders";
        run.Finish(
            run.Page(
                    $"Preferences between its own completions: {method}",
                    $"{subject.Name}, judged by {judged}. {pairs.Length} of {asked} prompts gave the first policy a pair to learn "
                        + "from offline."
                )
                .Tiles(RunReport.Tiles(reports))
                .Table("Held-out problems", table)
                .Paragraph(reading)
                .Proportions(
                    "Right answers",
                    new NamedProportion("before", Share(hitsBefore)),
                    new NamedProportion("offline", Share(hitsOffline)),
                    new NamedProportion(method, Share(hits))
                )
                .Completions(
                    "The same held-out prompts, before and after",
                    Measure.Pairs(before, after, subject.IsToy ? AnswerPlaces.Tags : AnswerPlaces.Any)
                )
                .Curves(
                    "Offline",
                    new CurveChart("Loss", "", CurveSeries.Of(offlineReports, "loss")),
                    new CurveChart("Margin of implicit rewards", "", CurveSeries.Of(offlineReports, "reward/margin"))
                )
                .Run(reports, completions: run.LoggedCompletions),
            new Dictionary<string, object>
            {
                ["method"] = method,
                ["reward"] = values.GetValue(rewardName)!,
                ["offline_pairs"] = pairs.Length,
                ["held_out"] = heldOut.Count,
                ["accuracy_before"] = Share(hitsBefore).Value,
                ["accuracy_before_interval"] = Share(hitsBefore).Interval(),
                ["accuracy_offline"] = Share(hitsOffline).Value,
                ["accuracy_offline_interval"] = Share(hitsOffline).Interval(),
                ["accuracy_after"] = Share(hits).Value,
                ["accuracy_after_interval"] = Share(hits).Interval(),
                ["after_minus_offline"] = Estimate.OfDifference(hits, hitsOffline).Mean,
                ["after_minus_offline_interval"] = Estimate.OfDifference(hits, hitsOffline).Interval,
            }
        );

        IReadOnlyList<Completion> Draw(Decoder model) => Sampled.Completions(model, subject.Tokenizer, heldOut, sampling, run.Seed);

        async Task<double[]> HitsAsync(IReadOnlyList<Completion> completions) =>
            [.. (await right.ScoreAsync(completions, RewardContext.None, run.Cancellation)).Values.Select(value => value > 0.5 ? 1.0 : 0)];

        Proportion Share(double[] of) => new(of.Count(hit => hit > 0), of.Length);

        async Task<(PreferencePair[] Pairs, int Asked)> PairsAsync()
        {
            var prompts = Enumerable
                .Range(0, run.Steps * values.GetValue(batch))
                .SelectMany(i => Enumerable.Repeat(train[i % train.Count], compared))
                .ToArray();
            var written = Sampled.Completions(first, subject.Tokenizer, prompts, sampling, run.Seed + 1);
            var scores = new List<double>(written.Count);
            // As many at a time as a step of the online run has.
            foreach (var part in written.Chunk(compared * values.GetValue(batch)))
                scores.AddRange((await signal.ScoreAsync(part, RewardContext.None, run.Cancellation)).Values);
            PreferencePair[] found =
            [
                .. Enumerable
                    .Range(0, written.Count)
                    .Chunk(compared)
                    .Select(rows => (Best: rows.MaxBy(row => scores[row]), Worst: rows.MinBy(row => scores[row])))
                    .Where(pair => scores[pair.Best] > scores[pair.Worst])
                    .Select(pair => new PreferencePair(
                        written[pair.Best].Problem.Prompt,
                        written[pair.Best].Text,
                        written[pair.Worst].Text
                    )),
            ];
            Console.WriteLine(
                $"{found.Length} of {prompts.Length / compared} prompts have a better and a worse completion of the first policy"
            );
            return found.Length > 0
                ? (found, prompts.Length / compared)
                : throw new ArgumentException(
                    "the reward tells none of the first policy's completions of a prompt from the others, expected some better and "
                        + "some worse ones: another --reward, a larger --group, more --sft-steps, or more --steps"
                );
        }

        T Common<T>(T options, int steps, int batchSize, double learningRate, int rows = 1)
            where T : TrainingOptions =>
            (T)(
                options with
                {
                    Steps = steps,
                    BatchSize = batchSize,
                    LearningRate = learningRate,
                    MicroBatchSize = Math.Max(1, run.MicroBatch(longest) / rows),
                    WarmupSteps = steps / 10,
                    Schedule = LearningRateSchedule.Cosine,
                    Seed = run.Seed,
                }
            );
    }
);
