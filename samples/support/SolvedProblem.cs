namespace PostTrain.Samples.Support;

/// <summary>Result of a method on one problem.</summary>
/// <param name="IsRight">Whether the answer is right.</param>
/// <param name="Tokens">What it cost.</param>
/// <param name="Score">Of the chosen solution.</param>
public readonly record struct SolvedProblem(bool IsRight, double Tokens, double Score);
