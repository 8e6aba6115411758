namespace PostTrain.Search;

/// <summary>A solution and its value.</summary>
/// <param name="Solution">The solution, complete or not.</param>
/// <param name="Scores">Of its steps, or a single one; empty where the search has no value.</param>
/// <param name="Score">Their aggregate; 0 where there are none.</param>
public sealed record ScoredSolution(PartialSolution Solution, IReadOnlyList<double> Scores, double Score);
