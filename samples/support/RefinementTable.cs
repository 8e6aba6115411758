using PostTrain.Exact;
using PostTrain.Training;
using PostTrain.Training.Reports;

namespace PostTrain.Samples.Support;

/// <summary>A comparison of supervised fine-tuning, self-training and reinforced fine-tuning over exact problems or seeds: rows, tiles and
/// numbers.</summary>
/// <param name="pair">The unit of a pair: <c>worlds</c>, <c>seeds</c>.</param>
public sealed class RefinementTable(string pair)
{
    private readonly List<string[]> accuracies = [];
    private readonly List<string[]> differences = [];
    private readonly List<SummaryTile> tiles = [];
    private readonly Dictionary<string, object> summary = [];

    /// <summary>The explanation of the table.</summary>
    public static string Reading =>
        "Accuracy on held-out questions, sampled at temperature 1 or of the most likely answer. Differences are paired, with "
        + "Student's 95 % "
        + "interval; p is that of the two-sided paired t test. Methods differ if the interval excludes 0; otherwise no difference "
        + "is claimed.";

    /// <summary>The mean accuracy of each method over the pairs.</summary>
    public ReportTable Accuracies => new([pair, "accuracy", "warm-up", "SFT", "self-training", "ReFT"], accuracies);

    /// <summary>The differences between the methods.</summary>
    public ReportTable Differences =>
        new([pair, "accuracy", "ReFT − SFT", "p", "won", "ReFT − self-training", "self-training − SFT"], differences);

    /// <summary>The difference of each kind.</summary>
    public IReadOnlyList<SummaryTile> Tiles => tiles;

    /// <summary>Values for <c>summary.json</c>.</summary>
    public IReadOnlyDictionary<string, object> Summary => summary;

    /// <summary>Adds a kind of problem or a task, and prints its result in a line.</summary>
    public void Add(string name, IReadOnlyList<StrategyOutcome> outcomes)
    {
        ArgumentNullException.ThrowIfNull(outcomes);
        foreach (var (measure, of) in Measures)
        {
            double[] Values(Func<StrategyOutcome, StrategyAccuracy> method) => [.. outcomes.Select(outcome => of(method(outcome)))];
            double[] supervised = Values(outcome => outcome.Supervised),
                trained = Values(outcome => outcome.SelfTraining),
                reinforced = Values(outcome => outcome.Reinforced);
            PairedTest gain = PairedTest.Of(reinforced, supervised),
                overTraining = PairedTest.Of(reinforced, trained),
                ofTraining = PairedTest.Of(trained, supervised);
            string won = $"{gain.Wins} of {gain.Pairs}";
            accuracies.Add([
                name,
                measure,
                Format.Number(Values(outcome => outcome.Warmup).Average()),
                Format.Number(supervised.Average()),
                Format.Number(trained.Average()),
                Format.Number(reinforced.Average()),
            ]);
            differences.Add([name, measure, gain.ToString(), P(gain.PValue), won, overTraining.ToString(), ofTraining.ToString()]);
            string key = $"{name}, {measure}";
            foreach (
                var (method, values) in new[]
                {
                    ("warmup", Values(outcome => outcome.Warmup)),
                    ("sft", supervised),
                    ("self_training", trained),
                    ("reft", reinforced),
                }
            )
                summary[$"{key}: {method}"] = values.Average();
            foreach (
                var (what, test) in new[]
                {
                    ("gain", gain),
                    ("gain_over_self_training", overTraining),
                    ("gain_of_self_training", ofTraining),
                }
            )
                (
                    summary[$"{key}: {what}"],
                    summary[$"{key}: {what}_interval"],
                    summary[$"{key}: {what}_p"],
                    summary[$"{key}: {what}_sign_p"]
                ) = (test.Difference.Mean, test.Difference.Interval, test.PValue, test.SignPValue);
            if (measure != "sampled")
                continue;
            tiles.Add(new SummaryTile(name, gain.ToString(), $"ReFT − SFT, sampled; {won} {pair} won"));
            Console.WriteLine($"{name, -26} ReFT − SFT, sampled: {gain}, {won} {pair} won: {gain.Verdict}");
        }
    }

    /// <summary>Prints both tables.</summary>
    public void Print()
    {
        ConsoleTable.Print(Accuracies);
        ConsoleTable.Print(Differences);
    }

    /// <summary>Returns the accuracies of one pair for <c>metrics.jsonl</c>.</summary>
    /// <param name="line">Number of the record.</param>
    /// <param name="outcome">The methods' results.</param>
    /// <param name="part">Prefix of the names; may be empty.</param>
    public static StepReport Record(long line, StrategyOutcome outcome, string part = "")
    {
        ArgumentNullException.ThrowIfNull(outcome);
        var metrics = new Dictionary<string, double>();
        foreach (var (measure, of) in Measures)
        {
            metrics[$"{part}warmup/{measure}"] = of(outcome.Warmup);
            metrics[$"{part}sft/{measure}"] = of(outcome.Supervised);
            metrics[$"{part}self_training/{measure}"] = of(outcome.SelfTraining);
            metrics[$"{part}reft/{measure}"] = of(outcome.Reinforced);
        }
        return new StepReport(line, double.NaN, metrics, TimeSpan.Zero);
    }

    private static (string Name, Func<StrategyAccuracy, double> Of)[] Measures =>
        [("sampled", accuracy => accuracy.Sampled), ("greedy", accuracy => accuracy.Greedy)];

    private static string P(double value) => value < 0.0005 ? "< 0.001" : Format.Number(value);
}

/// <summary>The exact experiment on reinforced fine-tuning with its negative control.</summary>
public static class StrategyWorlds
{
    /// <summary>Computes the problems of each kind and logs each result.</summary>
    /// <param name="run">The run.</param>
    /// <param name="count">Number of problems of each kind, at least 2.</param>
    /// <param name="options">Options of a problem.</param>
    public static RefinementTable Run(SampleRun run, int count, StrategyOptions options)
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(options);
        (string Name, StrategyOptions Options)[] kinds =
        [
            ("1 to 5 valid ways", options with { MostValid = 5 }),
            ("1 to 3 valid ways", options with { MostValid = 3 }),
            ("1 to 3, a quarter guessed", options with { MostValid = 3, GuessRate = 0.25 }),
            ("one valid way (control)", options with { MostValid = 1 }),
        ];
        var table = new RefinementTable("worlds");
        int line = 0;
        foreach (var (name, kind) in kinds)
        {
            // A problem is a function of its seed alone, so the thread that computes it does not matter.
            StrategyOutcome[] outcomes =
            [
                .. Enumerable
                    .Range(0, count)
                    .AsParallel()
                    .AsOrdered()
                    .Select(world => StrategyExperiment.Run(kind, run.Seed * 1000 + (ulong)world)),
            ];
            foreach (var outcome in outcomes)
                run.Log(RefinementTable.Record(++line, outcome, "worlds/"));
            table.Add(name, outcomes);
        }
        return table;
    }
}
