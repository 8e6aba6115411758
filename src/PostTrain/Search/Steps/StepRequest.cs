namespace PostTrain.Search;

/// <summary>A solution that is to be continued.</summary>
/// <param name="Solution">Not complete.</param>
/// <param name="Seed">Seed of a sampled step: equal seeds after equal solutions give equal steps.</param>
public sealed record StepRequest(PartialSolution Solution, ulong Seed)
{
    /// <summary>True to request the rest of the solution as one step. Default: one step.</summary>
    public bool ToEnd { get; init; }

    /// <summary>True to request the most likely step, as for look-ahead. Default: a sampled one.</summary>
    public bool Greedy { get; init; }

    /// <summary>Number of steps sampled from this solution before, if the search counts them, as tree searches do: a generator that lists
    /// its steps returns the next one. Default 0.</summary>
    public int Draw { get; init; }
}
