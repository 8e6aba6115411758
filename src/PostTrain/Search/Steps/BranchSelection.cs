namespace PostTrain.Search;

/// <summary>Says which branches of a round go on.</summary>
/// <param name="branches">The branches that are not complete, at least one.</param>
/// <param name="count">Maximum number of kept branches; if there are fewer, all are kept.</param>
/// <returns>Their indices, each once, at least one.</returns>
public delegate IReadOnlyList<int> BranchSelection(IReadOnlyList<ScoredSolution> branches, int count);
