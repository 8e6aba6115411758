using PostTrain.Data.Records.Files;

namespace PostTrain.RewardModeling.Benchmarks;

/// <summary>A solution of PRMBench with the places of its wrong steps, and the right solution that it was made from.</summary>
/// <remarks>Song et al. 2025, arXiv:2501.03124.</remarks>
/// <param name="Id">Id of the record.</param>
/// <param name="Category">Kind of the fault in the solution.</param>
/// <param name="Question">The problem, as the solution reads it.</param>
/// <param name="Steps">The solution's steps, at least one.</param>
/// <param name="ErrorSteps">Numbers of the wrong steps, from 1 as in the files, ascending and different; empty for another right
/// solution.</param>
public sealed record PrmBenchRecord(
    string Id,
    PrmBenchCategory Category,
    string Question,
    IReadOnlyList<string> Steps,
    IReadOnlyList<int> ErrorSteps
)
{
    private static readonly (string Name, PrmBenchCategory Category)[] Names =
    [
        ("redundency", PrmBenchCategory.Redundancy),
        ("circular", PrmBenchCategory.CircularLogic),
        ("counterfactual", PrmBenchCategory.Counterfactual),
        ("step_contradiction", PrmBenchCategory.StepContradiction),
        ("domain_inconsistency", PrmBenchCategory.DomainInconsistency),
        ("confidence", PrmBenchCategory.Confidence),
        ("missing_condition", PrmBenchCategory.MissingCondition),
        ("deception", PrmBenchCategory.Deception),
        ("multi_solutions", PrmBenchCategory.MultipleSolutions),
    ];

    /// <summary>The right solution of the original question; empty where it is not known.</summary>
    public IReadOnlyList<string> OriginalSteps { get; init; } = [];

    /// <summary>The original question.</summary>
    /// <value>By default that of the solution.</value>
    public string OriginalQuestion { get; init; } = Question;

    /// <summary>One label a step, 1 for right and 0 for wrong.</summary>
    public IReadOnlyList<int> Labels => [.. Enumerable.Range(1, Steps.Count).Select(step => ErrorSteps.Contains(step) ? 0 : 1)];

    /// <summary>The solution as an example for a process reward model.</summary>
    public StepwiseExample Example => new(Question, Steps, Labels);

    /// <summary>The category's name in the files.</summary>
    public static string NameOf(PrmBenchCategory category) => Array.Find(Names, item => item.Category == category).Name;

    /// <summary>The dimension of a category.</summary>
    public static PrmBenchDimension DimensionOf(PrmBenchCategory category) =>
        category switch
        {
            PrmBenchCategory.Redundancy or PrmBenchCategory.CircularLogic => PrmBenchDimension.Simplicity,
            PrmBenchCategory.MissingCondition or PrmBenchCategory.Deception or PrmBenchCategory.MultipleSolutions =>
                PrmBenchDimension.Sensitivity,
            _ => PrmBenchDimension.Soundness,
        };

    /// <summary>Reads a file of PRMBench: JSON Lines or one JSON array, records with <c>idx</c>, <c>classification</c>,
    /// <c>modified_question</c>, <c>modified_process</c>, <c>error_steps</c>, and <c>original_question</c> and <c>original_process</c>
    /// where they are known.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is broken or has no records; a record lacks fields, has an unknown classification,
    /// or names a step that it does not have. The message names file, place and reason.</exception>
    public static IReadOnlyList<PrmBenchRecord> Read(string path) =>
        RecordRows.Read<PrmBenchRecord>(
            path,
            "classification, modified_question, modified_process and error_steps",
            record =>
                record.Text("classification") is { } name
                && (record.Text("modifiedquestion") ?? record.Text("question")) is { } question
                && record.Texts("modifiedprocess") is { Count: > 0 } steps
                && record.Labels("errorsteps") is { } wrong
                    ?
                    [
                        new PrmBenchRecord(record.Text("idx") ?? "", CategoryOf(name), question, steps, Checked(wrong, steps.Count))
                        {
                            OriginalSteps = record.Texts("originalprocess") ?? [],
                            OriginalQuestion = record.Text("originalquestion") ?? question,
                        },
                    ]
                    : null
        );

    private static PrmBenchCategory CategoryOf(string name)
    {
        foreach (var item in Names)
            if (item.Name == name)
                return item.Category;
        throw new ArgumentException(
            $"the classification is '{name}', expected one of {string.Join(", ", Names.Select(item => item.Name))}",
            nameof(name)
        );
    }

    private static int[] Checked(IReadOnlyList<int> wrong, int steps)
    {
        foreach (int step in wrong)
            if (step < 1 || step > steps)
                throw new ArgumentException($"error_steps has {step}, expected numbers from 1 to {steps}", nameof(wrong));
        return [.. wrong.Distinct().Order()];
    }
}
