namespace PostTrain.Search;

/// <summary>Says which branches of a round go on.</summary>
/// <param name="branches">The branches that are not complete, at least one.</param>
/// <param name="count">How many are to be kept, at most as many as there are, or all of fewer.</param>
/// <returns>Their indices, each once, at least one.</returns>
public delegate IReadOnlyList<int> BranchSelection(IReadOnlyList<ScoredSolution> branches, int count);
