using PostTrain.Exact;
using PostTrain.Training;
using PostTrain.Training.Reports;

namespace PostTrain.Samples.Support;

/// <summary>Supervised fine-tuning, self-training and reinforced fine-tuning over pairs, which are exact worlds or seeds of a language
/// model: the rows, tiles and numbers of a comparison.</summary>
/// <param name="pair">What a pair is: <c>worlds</c>, <c>seeds</c>.</param>
public sealed class RefinementTable(string pair)
{
    private readonly List<string[]> accuracies = [];
    private readonly List<string[]> differences = [];
    private readonly List<SummaryTile> tiles = [];
    private readonly Dictionary<string, object> summary = [];

    /// <summary>How the table is read.</summary>
    public static string Reading =>
        "Accuracy on held-out questions: sampled at temperature 1, or the likeliest. Differences are paired, with Student's 95 % interval; p: of the paired t test, two-sided. "
        + "Methods differ where the interval leaves 0 out; where it does not, nothing is claimed.";

    /// <summary>The accuracy of each method, a mean over the pairs.</summary>
    public ReportTable Accuracies => new([pair, "accuracy", "warm-up", "SFT", "self-training", "ReFT"], accuracies);

    /// <summary>The methods' differences.</summary>
    public ReportTable Differences =>
        new([pair, "accuracy", "ReFT − SFT", "p", "won", "ReFT − self-training", "self-training − SFT"], differences);

    /// <summary>The difference of each kind.</summary>
    public IReadOnlyList<SummaryTile> Tiles => tiles;

    /// <summary>For <c>summary.json</c>.</summary>
    public IReadOnlyDictionary<string, object> Summary => summary;

    /// <summary>Adds a kind of world or a task, and says in a line what came of it.</summary>
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

    /// <summary>The accuracies of one pair, for <c>metrics.jsonl</c>.</summary>
    /// <param name="line">Number of the record.</param>
    /// <param name="outcome">What the methods came to.</param>
    /// <param name="part">Stands before the names; may be empty.</param>
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
