using PostTrain.Data.Records;
using PostTrain.Data.Records.Files;
using PostTrain.Text;

namespace PostTrain.RewardModeling;

/// <summary>A solution in steps, each of them judged: what a process reward model learns from.</summary>
/// <param name="Prompt">The problem.</param>
/// <param name="Steps">The steps of the solution, without separators.</param>
/// <param name="Labels">One class a step: 0 for wrong and 1 for right, or the classes of a finer scale.</param>
public sealed record StepwiseExample(MarkedText Prompt, IReadOnlyList<string> Steps, IReadOnlyList<int> Labels)
{
    /// <summary>Reads a data set in any form of <see cref="RecordReader"/>, records with <c>prompt</c>, <c>completions</c> (or
    /// <c>steps</c>) and as
    /// many <c>labels</c>, true and false or whole numbers from 0.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is broken or has no records, or a record lacks fields; the message names file, place
    /// and reason.</exception>
    public static IReadOnlyList<StepwiseExample> Read(string path) =>
        RecordRows.Read<StepwiseExample>(
            path,
            "prompt, completions and as many labels",
            record =>
                record.Marked("prompt", "question", "problem") is { } prompt
                && record.Texts("completions", "steps") is { Count: > 0 } steps
                && record.Labels("labels") is { } labels
                && steps.Count == labels.Count
                    ? [new StepwiseExample(prompt, steps, labels)]
                    : null
        );
}
