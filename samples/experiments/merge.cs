#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Two fine-tuned models merged into one: the toy learns a little of sums and of reversing digits, one copy goes on with sums and another
// with reversing, and every merge method makes one model of both. Each model's accuracy on both tasks, over the merge's strength; the best
// one is written as GGUF too. With --ancestor 0 the copies share nothing but the base: see what merging does then.
//   dotnet run -c Release samples/experiments/merge.cs [-- --steps N --held-out N --output DIR]
// Models of yours, by a configuration of mergekit:
//   dotnet run -c Release samples/experiments/merge.cs -- --config merge.yml --output artifacts/merged
using System.Globalization;
using PostTrain.Data;
using PostTrain.Merging;
using PostTrain.Models;
using PostTrain.Models.Gguf;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

var command = new SampleCommand("merge", "Merges two fine-tuned models by every method and shows the frontier.", steps: 200);
var configFile = command.Option<string?>("--config", "A mergekit configuration (YAML) of models of yours; nothing is trained.", null);
var batch = command.Option("--batch-size", "Examples in a step.", 32, OptionRange.AtLeast(1));
var shared = command.Option("--ancestor", "Steps on both tasks before the copies part.", 110, OptionRange.AtLeast(0));
return await command.RunAsync(
    args,
    (run, values) =>
    {
        if (values.GetValue(configFile) is { } file)
        {
            var progress = new Progress<MergeProgress>(item => Console.WriteLine($"{item.Written}/{item.Total} {item.Name}"));
            ModelMerger.Run(MergeConfig.Load(file), run.PathOf("model"), progress: progress, stop: run.Cancellation);
            Console.WriteLine($"written: {run.PathOf("model")}");
            return Task.CompletedTask;
        }

        if (run.Model is not null || run.Data is not null)
            throw new ArgumentException("--model and --data are given, expected --config with the models to merge");
        using var subject = Subject.Load(run);
        int heldOut = run.HeldOut;
        var sums = ArithmeticTask.Problems(heldOut, heldOut: true, run.Seed);
        var reversals = Reversals(heldOut, heldOut: true, run.Seed);
        IReadOnlyList<Demonstration> sumData = ArithmeticTask.Solutions(ArithmeticTask.Problems(4000, heldOut: false, run.Seed));
        IReadOnlyList<Demonstration> reversalData = [.. Reversals(4000, heldOut: false, run.Seed).Select(Solved)];
        int together = values.GetValue(shared);
        string ancestor =
            together == 0 ? subject.Folder : Tuned("ancestor", [.. sumData, .. reversalData], subject.Folder, together, subject.Rate(1e-3));
        string first = Tuned("sums", sumData, ancestor, run.Steps, subject.Rate(3e-4));
        string second = Tuned("reversals", reversalData, ancestor, run.Steps, subject.Rate(3e-4));

        var rows = new List<Row>
        {
            Measured("ancestor", 0, ancestor),
            Measured("tuned on sums", 0, first),
            Measured("tuned on reversals", 0, second),
        };
        int step = 0;
        foreach (var (name, method) in Methods())
        {
            foreach (double strength in (double[])[0.25, 0.5, 0.75, 1])
            {
                run.Cancellation.ThrowIfCancellationRequested();
                var row = Merged(name, method, strength);
                rows.Add(row);
                run.Log(
                    new StepReport(
                        ++step,
                        double.NaN,
                        new Dictionary<string, double>
                        {
                            [$"{name}/strength"] = strength,
                            [$"{name}/sums"] = row.Sums.Value,
                            [$"{name}/reversals"] = row.Reversals.Value,
                        },
                        TimeSpan.Zero
                    )
                );
            }
        }

        var best = rows.Skip(3).MaxBy(row => row.Worse)!;
        var model = run.PathOf("model");
        if (Directory.Exists(model))
            Directory.Delete(model, recursive: true);
        Directory.Move(best.Folder, model);
        Directory.Delete(run.PathOf("merged"), recursive: true);
        GgufExport.Write(model, run.PathOf("model.gguf"), new GgufExportOptions { Name = best.Name });

        var table = new ReportTable(
            ["model", "strength", "sums", "reversals", "the worse of both"],
            [
                .. rows.Select(row =>
                    (string[])
                        [
                            row.Name,
                            row.Strength == 0 ? "" : Format.Number(row.Strength),
                            row.Sums.ToString(),
                            row.Reversals.ToString(),
                            Format.Percent(row.Worse),
                        ]
                ),
            ]
        );
        ConsoleTable.Print(table);
        string finding =
            $"The best merge is {best.Name} at {Format.Number(best.Strength)}: {best.Sums} of the sums, {best.Reversals} of the reversals.";
        Console.WriteLine(finding);
        Row[] tops = [.. rows.Take(3), .. rows.Skip(3).GroupBy(row => row.Name).Select(group => group.MaxBy(row => row.Worse)!)];
        var page = run.Page(
                "Two fine-tuned models merged into one",
                $"{subject.Name} after {together} steps on both tasks, then {run.Steps} steps on one task in each of two "
                    + $"copies, merged without "
                    + $"training. Accuracies on {heldOut} held-out problems of each task, with 95 % intervals."
            )
            .Paragraph(finding)
            .Frontier(
                "Reversals over sums, each method by its strength",
                new FrontierChart(
                    "share of right sums",
                    "share of right reversals, with 95 % intervals",
                    [
                        .. rows.Select(row =>
                            FrontierPoint.Of(
                                tops.Contains(row) ? Label(row) : "",
                                row.Sums.Value,
                                row.Reversals,
                                row.Strength == 0 ? "" : row.Name
                            )
                        ),
                    ]
                )
            )
            .Proportions("Sums", [.. tops.Select(row => new NamedProportion(Label(row), row.Sums))])
            .Proportions("Reversals", [.. tops.Select(row => new NamedProportion(Label(row), row.Reversals))])
            .Table("All merges", table);
        run.Finish(
            page,
            new Dictionary<string, object>
            {
                ["best"] = best.Name,
                ["best_strength"] = best.Strength,
                ["best_sums"] = best.Sums.Value,
                ["best_reversals"] = best.Reversals.Value,
                ["ancestor_sums"] = rows[0].Sums.Value,
                ["ancestor_reversals"] = rows[0].Reversals.Value,
                ["tuned_sums"] = rows[1].Sums.Value,
                ["tuned_reversals"] = rows[2].Reversals.Value,
            }
        );
        return Task.CompletedTask;

        string Tuned(string name, IReadOnlyList<Demonstration> examples, string from, int steps, double rate)
        {
            using var copy = Pretrained.Load(from);
            var options = new SftOptions
            {
                Steps = steps,
                BatchSize = values.GetValue(batch),
                LearningRate = rate,
                Seed = run.Seed,
            };
            using var trainer = new SftTrainer(copy, subject.Tokenizer, options);
            run.Train(name, steps, trainer.Run(examples, cancellation: run.Cancellation), name);
            subject.Save(copy, run.PathOf(name));
            return run.PathOf(name);
        }

        // Between two models the strength is the place on the way; of task vectors it is λ.
        IEnumerable<(string Name, Func<double, MergeConfig> Config)> Methods()
        {
            yield return ("linear", t => Models(MergeMethod.Linear, 1 - t, t));
            yield return (
                "slerp",
                t => new MergeConfig
                {
                    Method = MergeMethod.Slerp,
                    Base = first,
                    Models = [new(second)],
                    Parameters = new() { T = t },
                }
            );
            yield return ("task arithmetic", t => OverBase(MergeMethod.TaskArithmetic, t));
            yield return ("TIES", t => OverBase(MergeMethod.Ties, t, density: 0.5));
            yield return ("DARE", t => OverBase(MergeMethod.DareLinear, t, density: 0.5));
            yield return ("DELLA", t => OverBase(MergeMethod.DellaLinear, t, density: 0.5));
            yield return ("breadcrumbs", t => OverBase(MergeMethod.Breadcrumbs, t, density: 0.9));
            yield return ("SCE", t => OverBase(MergeMethod.Sce, t) with { Parameters = new() { SelectTopK = t } });
        }

        MergeConfig Models(MergeMethod method, double a, double b) =>
            new()
            {
                Method = method,
                Models = [new(first) { Parameters = new() { Weight = a } }, new(second) { Parameters = new() { Weight = b } }],
            };

        MergeConfig OverBase(MergeMethod method, double lambda, double density = 1) =>
            new()
            {
                Method = method,
                Base = ancestor,
                Models = [new(first), new(second)],
                Parameters = new() { Lambda = lambda, Density = density },
                Convention = Convention.Peft,
                Seed = run.Seed,
            };

        Row Merged(string name, Func<double, MergeConfig> method, double strength)
        {
            var folder = run.PathOf(Path.Combine("merged", string.Create(CultureInfo.InvariantCulture, $"{name} {strength}")));
            ModelMerger.Run(method(strength), folder, new MergeOptions { Overwrite = true }, stop: run.Cancellation);
            return Measured(name, strength, folder);
        }

        Row Measured(string name, double strength, string folder)
        {
            using var merged = Pretrained.Load(folder);
            var (right, reversed) = (
                Measure.Right(Measure.Answers(merged, subject.Tokenizer, sums)),
                Measure.Right(Measure.Answers(merged, subject.Tokenizer, reversals))
            );
            return new Row(name, strength, right, reversed, folder);
        }

        static string Label(Row row) => row.Strength == 0 ? row.Name : $"{row.Name} {Format.Number(row.Strength)}";
    }
);

// Four digits from 1 to 9 and their reverse; one in ten is held out, by the digits alone.
static IReadOnlyList<Problem> Reversals(int count, bool heldOut, ulong seed)
{
    var random = new Random((int)(seed * 2 + (heldOut ? 1u : 0u)));
    var problems = new List<Problem>();
    while (problems.Count < count)
    {
        int[] digits = [.. Enumerable.Range(0, 4).Select(_ => random.Next(1, 10))];
        if ((digits[0] * 7 + digits[1] * 3 + digits[2] * 5 + digits[3]) % 10 == 0 != heldOut)
            continue;
        problems.Add(new Problem($"{string.Join(';', digits)}=", string.Concat(digits.Reverse())));
    }

    return problems;
}

static Demonstration Solved(Problem problem) => new(problem.Prompt.Text, $"<answer>{problem.Answer}</answer>");

/// <summary>A model and its accuracies.</summary>
internal sealed record Row(string Name, double Strength, Proportion Sums, Proportion Reversals, string Folder)
{
    /// <summary>The smaller of both accuracies.</summary>
    internal double Worse => Math.Min(Sums.Value, Reversals.Value);
}
