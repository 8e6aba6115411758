namespace PostTrain.Search;

/// <summary>A solution that is to be continued.</summary>
/// <param name="Solution">Not complete.</param>
/// <param name="Seed">Where a sampled step takes its randomness from: equal seeds behind equal solutions give equal steps.</param>
public sealed record StepRequest(PartialSolution Solution, ulong Seed)
{
    /// <summary>Whether the rest of the solution is asked for as one step. Default: one step.</summary>
    public bool ToEnd { get; init; }

    /// <summary>Whether the likeliest step is asked for, as look-ahead does. Default: a sampled one.</summary>
    public bool Greedy { get; init; }

    /// <summary>How many steps were drawn from this solution before, where a search counts them, as tree searches do: a generator that
    /// lists its steps gives the next one. Default 0.</summary>
    public int Draw { get; init; }
}
