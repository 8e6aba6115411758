#:project support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Reinforced against supervised fine-tuning on the same questions, with exact gradients: where questions have several valid ways, and where they have one.
//   dotnet run -c Release samples/reft.cs [-- --worlds N --steps N --held-out N --seed N --output DIR]
using PostTrain.Exact;
using PostTrain.Samples.Support;
using PostTrain.Training;
using PostTrain.Training.Reports;

var command = new SampleCommand("reft", "Compares reinforced fine-tuning with supervised fine-tuning and self-training over paired worlds.", steps: 1500, heldOut: 4000);
var worlds = command.Option("--worlds", "Worlds of each kind, at least 2.", 20);
return await command.RunAsync(args, (run, values) =>
{
    int count = values.GetValue(worlds);
    if (count < 2) throw new ArgumentException($"--worlds is {count}, expected at least 2");
    if (run.Model is not null || run.Data is not null) throw new ArgumentException("the sample makes its own worlds: --model and --data are not for it");
    var options = new StrategyOptions { Steps = run.Steps, TestQuestions = run.HeldOut };
    (string Name, StrategyOptions Options)[] kinds =
    [
        ("1 to 5 valid ways", options with { MostValid = 5 }),
        ("1 to 3 valid ways", options with { MostValid = 3 }),
        ("1 to 3, a quarter guessed", options with { MostValid = 3, GuessRate = 0.25 }),
        ("one valid way (control)", options with { MostValid = 1 }),
    ];

    var rows = new List<string[]>();
    var tiles = new List<SummaryTile>();
    var summary = new Dictionary<string, object> { ["worlds"] = count };
    foreach (var (name, kind) in kinds)
    {
        // A world is a function of its seed alone, so that it does not matter which thread works it out.
        StrategyOutcome[] outcomes = [.. Enumerable.Range(0, count).AsParallel().AsOrdered().Select(world => StrategyExperiment.Run(kind, run.Seed * 1000 + (ulong)world))];
        for (int world = 0; world < count; world++) run.Log(Record(rows.Count / 2 * count + world + 1, outcomes[world]));
        foreach (var (measure, of) in Measures())
        {
            double[] supervised = [.. outcomes.Select(outcome => of(outcome.Supervised))], trained = [.. outcomes.Select(outcome => of(outcome.SelfTraining))];
            double[] reinforced = [.. outcomes.Select(outcome => of(outcome.Reinforced))];
            var gain = Estimate.OfDifference(reinforced, supervised);
            string won = $"{reinforced.Zip(supervised).Count(pair => pair.First > pair.Second)} of {count}";
            rows.Add([name, measure, Format.Number(outcomes.Average(outcome => of(outcome.Warmup))), Format.Number(supervised.Average()), Format.Number(trained.Average()),
                Format.Number(reinforced.Average()), gain.ToString(), won, Estimate.OfDifference(reinforced, trained).ToString()]);
            summary[$"{name}, {measure}: gain"] = gain.Mean;
            summary[$"{name}, {measure}: gain_interval"] = gain.Interval;
            if (measure == "sampled") tiles.Add(new SummaryTile(name, gain.ToString(), $"ReFT − SFT, sampled; {won} worlds won"));
        }
        Console.WriteLine($"{name,-26} ReFT − SFT {rows[^2][6]}");
    }

    var table = new ReportTable(["worlds", "accuracy", "warm-up", "SFT", "self-training", "ReFT", "ReFT − SFT", "won", "ReFT − self-training"], rows);
    ConsoleTable.Print(table);
    Console.WriteLine("accuracy on held-out questions: sampled at temperature 1, or the likeliest way; differences with the 95 % interval over paired worlds");
    var page = run.Page("ReFT in miniature",
            "Questions have several ways to their answer, and a demonstration shows one. From the same supervised warm-up on the same questions: supervised fine-tuning continued, "
            + "self-training on the policy's own right answers, and reinforced fine-tuning, which is paid for any right answer. Where one way is valid there is nothing to find.")
        .Tiles(tiles)
        .Table($"Held-out accuracy, {count} worlds of each kind, {options.TrainQuestions} questions to train on, exact gradients", table);
    run.Finish(page, summary);
    return Task.CompletedTask;
});

static (string Name, Func<StrategyAccuracy, double> Of)[] Measures() => [("sampled", accuracy => accuracy.Sampled), ("greedy", accuracy => accuracy.Greedy)];

static StepReport Record(long line, StrategyOutcome outcome)
{
    var metrics = new Dictionary<string, double>();
    foreach (var (measure, of) in Measures())
    {
        metrics[$"warmup/{measure}"] = of(outcome.Warmup);
        metrics[$"sft/{measure}"] = of(outcome.Supervised);
        metrics[$"self_training/{measure}"] = of(outcome.SelfTraining);
        metrics[$"reft/{measure}"] = of(outcome.Reinforced);
    }
    return new StepReport(line, double.NaN, metrics, TimeSpan.Zero);
}
