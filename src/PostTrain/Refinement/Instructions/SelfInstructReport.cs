using PostTrain.Data;

namespace PostTrain.Refinement.Instructions;

/// <summary>What a round of self-instruction brought.</summary>
/// <param name="Round">Which, from 1.</param>
/// <param name="Proposed">Instructions that were read out of the completions.</param>
/// <param name="Kept">The tasks that joined the pool.</param>
/// <param name="Similarities">Of each kept task, the greatest ROUGE-L F1 to the pool at the moment it joined.</param>
/// <param name="Pool">Instructions in the pool, the seeds among them.</param>
/// <param name="Rejections">How many instructions and instances each reason kept out; reasons without any are left out.</param>
/// <param name="DistinctWords">Different words in the pool's instructions, and their share of all words.</param>
/// <param name="DistinctPairs">Different pairs of neighbouring words, and their share of all pairs.</param>
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
    /// <summary>The same as numbers with names, for a log.</summary>
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
