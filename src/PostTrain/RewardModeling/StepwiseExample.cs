namespace PostTrain.RewardModeling;

/// <summary>A solution in steps, each of them judged: what a process reward model learns from.</summary>
/// <param name="Prompt">The problem.</param>
/// <param name="Steps">The steps of the solution, without separators.</param>
/// <param name="Labels">One class a step: 0 for wrong and 1 for right, or the classes of a finer scale.</param>
public sealed record StepwiseExample(string Prompt, IReadOnlyList<string> Steps, IReadOnlyList<int> Labels);
