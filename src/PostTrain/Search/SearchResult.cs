namespace PostTrain.Search;

/// <summary>What a search found and what it cost.</summary>
/// <param name="Solutions">The candidates; at least one.</param>
/// <param name="Chosen">Index of the chosen one.</param>
public sealed record SearchResult(IReadOnlyList<ScoredSolution> Solutions, int Chosen)
{
    /// <summary>The chosen solution.</summary>
    public ScoredSolution Best => Solutions[Chosen];

    /// <summary>Tokens that were generated, those of dropped branches included.</summary>
    public long Tokens { get; init; }

    /// <summary>Steps that were generated, or texts where a method writes whole ones.</summary>
    public long Steps { get; init; }

    /// <summary>Solutions that were given to the value.</summary>
    public long Scored { get; init; }

    /// <summary>Calls of the generator, one after the other: the latency in rounds.</summary>
    public int Rounds { get; init; }

    /// <summary>Whether the search was cancelled; then the solutions are those of the last finished round.</summary>
    public bool IsCancelled { get; init; }
}
