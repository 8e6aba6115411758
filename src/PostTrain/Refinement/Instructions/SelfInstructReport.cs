using PostTrain.Data;

namespace PostTrain.Refinement.Instructions;

/// <summary>The report of a round of Self-Instruct.</summary>
/// <param name="Round">Number of the round, from 1.</param>
/// <param name="Proposed">Number of instructions read from the completions.</param>
/// <param name="Kept">The tasks that joined the pool.</param>
/// <param name="Similarities">For each kept task, its largest ROUGE-L F1 with the pool when it joined.</param>
/// <param name="Pool">Number of instructions in the pool, seeds included.</param>
/// <param name="Rejections">Number of rejected instructions and instances by reason; reasons that did not occur are left out.</param>
/// <param name="DistinctWords">Number of different words in the pool's instructions, and their share of all words.</param>
/// <param name="DistinctPairs">Number of different pairs of adjacent words, and their share of all pairs.</param>
public sealed record SelfInstructReport(
    int Round,
    int Proposed,
    IReadOnlyList<InstructionTask> Kept,
    IReadOnlyList<double> Similarities,
    int Pool,
    IReadOnlyDictionary<SelfInstructRejection, int> Rejections,
    (int Count, double Share) DistinctWords,
    (int Count, double Share) DistinctPairs
)
{
    /// <summary>Returns the report as named values for a log.</summary>
    public IReadOnlyDictionary<string, double> Metrics()
    {
        var metrics = new Dictionary<string, double>
        {
            ["proposed"] = Proposed,
            ["kept"] = Kept.Count,
            ["instances"] = Kept.Sum(task => task.Instances.Count),
            ["pool"] = Pool,
            ["distinct_1"] = DistinctWords.Share,
            ["distinct_2"] = DistinctPairs.Share,
            ["distinct_2/count"] = DistinctPairs.Count,
        };
        foreach (var (reason, count) in Rejections)
            metrics[$"rejected/{reason}"] = count;
        return metrics;
    }
}
