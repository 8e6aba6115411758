#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Curation of problems for reinforcement learning: duplicates, near duplicates, contamination, Big-Math's criteria, solve rates with their
// intervals, and the share of groups with a gradient that each band of rates gives, against its law 1 − p^G − (1 − p)^G.
//   dotnet run -c Release samples/experiments/curation.cs [-- --data FILE --benchmark FILE --model DIR --group-size N --output DIR]
using System.Globalization;
using PostTrain.Data;
using PostTrain.Data.Curation;
using PostTrain.Recipes;
using PostTrain.Rewards;
using PostTrain.Samples.Support;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

var command = new SampleCommand("curation", "Curates problems and measures their solve rates.", steps: 64, heldOut: 100);
var benchmarkFile = command.Option<string?>("--benchmark", "Problems that must not be trained on; by default held-out sums.", null);
var groupSize = command.Option(
    "--group-size",
    "Completions of a group, at least 2 and at most half of the draws.",
    8,
    OptionRange.AtLeast(2)
);
var tokens = command.Option("--tokens", "Most tokens of a completion.", 48, OptionRange.AtLeast(1));
var ngram = command.Option("--ngram", "Words of an n-gram that counts as contamination.", 13, OptionRange.AtLeast(1));
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        int group = values.GetValue(groupSize);
        if (run.Steps < 2 * group)
            throw new ArgumentException($"--steps, the draws of a problem, is {run.Steps}, expected at least {2 * group}, two groups");
        using var subject = Subject.Load(run);
        string Text(Problem problem) => problem.Prompt.Text;
        var set = run.Data is null
            ? CurationSet.Of([.. Sums(run.Seed), .. Sums(run.Seed).Take(10)], "sums", Text)
            : CurationSet.Read<Problem>(run.Data, Text);
        var benchmark = values.GetValue(benchmarkFile) is { } file
            ? JsonLines.Read<Problem>(file)
            : ArithmeticTask.Problems(run.HeldOut, heldOut: true, run.Seed);
        // Sums have few words: a whole one is its own n-gram there.
        int size = subject.IsToy ? 2 : values.GetValue(ngram);
        set = set.WithoutDuplicates()
            .WithoutNearDuplicates()
            .WithoutContamination(new NgramIndex(benchmark.Select(Text), size, Math.Min(size, 8)))
            .Suitable();
        if (set.Records.Count == 0)
            throw new ArgumentException("no problem is left after curation, expected at least one");

        var answered = subject.IsToy ? AnswerPlaces.Tags : AnswerPlaces.Marked;
        var rates = await SolveRates.MeasureAsync(
            subject.Model,
            subject.Tokenizer,
            set.Values,
            Reward.MathAnswer(new MathAnswerOptions { Places = answered }),
            new SolveRateOptions
            {
                Draws = run.Steps,
                Sampling = subject.Sampling(values.GetValue(tokens)),
                Seed = run.Seed,
            },
            run.Cancellation
        );
        for (int i = 0; i < rates.Count; i++)
            run.Log(new StepReport(i + 1, 0, new Dictionary<string, double> { ["solve_rate"] = rates[i].Rate.Value }, TimeSpan.Zero));

        (double Least, double Most)[] bands = [(0, 0.1), (0.1, 0.3), (0.3, 0.7), (0.7, 0.9), (0.9, 1)];
        var table = new ReportTable(
            ["solve rate", "problems", "mean rate", $"groups of {group} with a gradient, from the counts", "by the law at the mean rate"],
            [
                .. bands.Select(band =>
                {
                    // The upper end belongs to the next band, but for the last.
                    var within = rates
                        .Where(rate => rate.Rate.Value >= band.Least && (rate.Rate.Value < band.Most || band.Most == 1))
                        .ToArray();
                    double mean = within.Length == 0 ? double.NaN : within.Average(rate => rate.Rate.Value);
                    return (string[])
                        [
                            string.Create(CultureInfo.InvariantCulture, $"{band.Least}–{band.Most}"),
                            $"{within.Length}",
                            within.Length == 0 ? "–" : Format.Percent(mean),
                            within.Length == 0 ? "–" : Format.Percent(within.Average(rate => SolveRates.GradientShare(rate.Rate, group))),
                            within.Length == 0 ? "–" : Format.Percent(SolveRates.GradientShare(mean, group)),
                        ];
                }),
            ]
        );
        var curated = set.WithSolveRates(rates, 0.1, 0.9);
        foreach (var step in curated.Steps)
            Console.WriteLine(step);
        ConsoleTable.Print(table);
        curated.Save(run.PathOf("curated.jsonl"));
        curated.SaveRemoved(run.PathOf("removed.jsonl"));
        Console.WriteLine($"{curated.Records.Count} problems with their provenance in {run.PathOf("curated.jsonl")}");
        run.Finish(
            run.Page("Curation", $"Solve rates of {subject.Name} from {run.Steps} completions of each problem.")
                .Table("Bands of solve rates", table),
            new Dictionary<string, object>
            {
                ["kept"] = curated.Records.Count,
                ["removed"] = curated.Removed.Count,
                ["mean_rate"] = rates.Average(rate => rate.Rate.Value),
                ["gradient_share"] = rates.Average(rate => SolveRates.GradientShare(rate.Rate, group)),
            }
        );
    }
);

// Every fourth is asked with options.
static IEnumerable<Problem> Sums(ulong seed) =>
    ArithmeticTask
        .Problems(100, heldOut: false, seed)
        .Select(
            (problem, i) =>
                i % 4 == 0
                    ? problem with
                    {
                        Prompt = $"{problem.Prompt.Text} (A) {problem.Answer}0 (B) {problem.Answer} (C) 1{problem.Answer}",
                        Answer = "B",
                    }
                    : problem
        );
