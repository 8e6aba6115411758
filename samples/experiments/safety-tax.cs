#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// What safety costs a model that reasons: refusals of three kinds, the share of harmful requests that is refused against the accuracy on
// harmless ones after every few steps.
//   dotnet run -c Release samples/experiments/safety-tax.cs [-- --seeds 5 --steps N --every N --output DIR]
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Recipes;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

const string direct = "direct refusals";
var command = new SampleCommand(
    "safety-tax",
    "Measures what refusals of three kinds cost; --steps are those of safety training.",
    steps: 80,
    heldOut: 100
);
var seeds = command.Option("--seeds", "Number of seeds, at least 2.", 5, OptionRange.AtLeast(2));
var baseSteps = command.Option("--base-steps", "Steps of the base model.", 700, OptionRange.AtLeast(1));
var every = command.Option("--every", "Steps between measurements.", 8, OptionRange.AtLeast(1));
var rate = command.Option("--learning-rate", "Of safety training.", 4e-4, OptionRange.Positive);
return await command.RunAsync(
    args,
    (run, values) =>
    {
        var tokenizer = SafetyTask.Tokenizer();
        var table = new ArmTable(direct);
        var curves = new Dictionary<string, List<(int Step, double Refusal, double Accuracy)>>();
        for (ulong seed = 1; seed <= (ulong)values.GetValue(seeds); seed++)
        {
            ulong own = seed;
            using var start = SafetyTask.Model(seed);
            _ = Train(start, SafetyTask.BaseTexts(seed), values.GetValue(baseSteps), 3e-3, $"seed{seed}/base").ToArray();
            var harmful = SafetyTask.Requests(true, 200, heldOut: false, seed + 10);
            var hinted = Draw(start, [.. harmful.Select(problem => problem with { Prompt = SafetyTask.Hint + problem.Prompt })], 1);
            var plain = Draw(start, harmful, 1);
            Arm(direct, [.. harmful.Select(problem => new Demonstration(problem.Prompt, SafetyTask.DirectRefusal))]);
            Arm("thinking refusals", [.. harmful.Select(problem => new Demonstration(problem.Prompt, SafetyTask.ThinkingRefusal))]);
            // The model's own refusals, which it gives where the request has the hint; it is trained on them without.
            Arm(
                "self-generated refusals",
                [
                    .. harmful
                        .Zip(hinted)
                        .Where(pair => SafetyTask.Refuses(pair.Second))
                        .Select(pair => new Demonstration(pair.First.Prompt, pair.Second.Text)),
                ]
            );
            Arm(
                "its own answers (control)",
                [.. plain.Where(answer => answer.Finished).Select(answer => new Demonstration(answer.Problem.Prompt, answer.Text))]
            );

            void Arm(string name, IReadOnlyList<Demonstration> data)
            {
                using var model = start.Copy();
                var points = new List<(int Step, double Refusal, double Accuracy)> { Measure(model, 0) };
                foreach (var report in Train(model, data, run.Steps, values.GetValue(rate), $"seed{own}/{name}"))
                    if (report.Step % values.GetValue(every) == 0)
                        points.Add(Measure(model, (int)report.Step));
                var frontier = new SafetyFrontier(points);
                Console.WriteLine(
                    $"seed {own}, {name}: {string.Join(' ', points.Select(point => $"{point.Refusal:F2}/{point.Accuracy:F2}"))}"
                );
                table.Add(name, "tax", frontier.Tax());
                table.Add(name, "refusals at the end", points[^1].Refusal);
                table.Add(name, "accuracy at the end", points[^1].Accuracy);
                table.Add(name, "accuracy at 90 % refusals", frontier.Accuracy(0.9) ?? double.NaN);
                if (!curves.TryGetValue(name, out var all))
                    curves.Add(name, all = []);
                all.AddRange(points);
            }

            (int, double, double) Measure(Decoder model, int step)
            {
                double Share(bool asksHarm, Func<Completion, bool> counts) =>
                    Draw(model, SafetyTask.Requests(asksHarm, run.HeldOut, heldOut: true, 1), 0).Count(counts) / (double)run.HeldOut;
                var point = (step, Share(true, SafetyTask.Refuses), Share(false, SafetyTask.IsRight));
                model.train();
                return point;
            }

            IReadOnlyList<Completion> Draw(Decoder model, IReadOnlyList<Problem> asked, double temperature) =>
                Sampled.Completions(model, tokenizer, asked, new SamplingOptions { MaxNewTokens = 28, Temperature = temperature }, own);

            IEnumerable<StepReport> Train(Decoder model, IReadOnlyList<Demonstration> data, int steps, double learningRate, string part)
            {
                using var trainer = new SftTrainer(
                    model,
                    tokenizer,
                    new SftOptions
                    {
                        Steps = steps,
                        BatchSize = 32,
                        LearningRate = learningRate,
                        Seed = own,
                    }
                );
                foreach (var report in trainer.Run(data, cancellation: run.Cancellation))
                {
                    run.Log(report with { Metrics = new Dictionary<string, double> { [$"{part}/loss"] = report.Loss } });
                    yield return report;
                }
            }
        }
        table.Print();
        var frontierTable = new ReportTable(
            ["step", .. curves.Keys.SelectMany(name => (string[])[$"{name}: refusals", "accuracy"])],
            [
                .. curves
                    .Values.First()
                    .Select(point => point.Step)
                    .Distinct()
                    .Select(step =>
                        (string[])
                            [
                                $"{step}",
                                .. curves.Values.SelectMany(points =>
                                    (string[])
                                        [
                                            Estimate
                                                .Of([.. points.Where(point => point.Step == step).Select(point => point.Refusal)])
                                                .ToString(),
                                            Estimate
                                                .Of([.. points.Where(point => point.Step == step).Select(point => point.Accuracy)])
                                                .ToString(),
                                        ]
                                ),
                            ]
                    ),
            ]
        );
        ConsoleTable.Print(frontierTable);
        run.Finish(
            run.Page(
                    "Safety tax",
                    "A small reasoning model is trained to refuse harmful requests, on nothing else. The tax is the mean loss of "
                        + "accuracy on "
                        + "harmless requests over the shares of refusals that were reached."
                )
                .Table($"Means, {values.GetValue(seeds)} seeds", table.Means)
                .Table("Paired differences", table.Differences)
                .Table("The frontier, step by step", frontierTable)
                .Paragraph("The control trains on the model's own answers to the harmful requests, which refuse nothing."),
            table.Summary
        );
        return Task.CompletedTask;
    }
);
