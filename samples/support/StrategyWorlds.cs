using PostTrain.Exact;

namespace PostTrain.Samples.Support;

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
