using PostTrain.Numerics;

namespace PostTrain.Adapters;

/// <summary>Options of methods with a rank r and a scale α/r, for all modules or by module name.</summary>
public abstract record LowRankOptions : AdapterOptions
{
    /// <summary>r, at least 1.</summary>
    /// <value>The default is 8.</value>
    public int Rank { get; init; } = 8;

    /// <summary>α, above 0.</summary>
    /// <value>The default is 8, a scale of 1 at the default rank.</value>
    public double Alpha { get; init; } = 8;

    /// <summary>Ranks of modules whose names end with a key, a regular expression; the first match counts.</summary>
    public IReadOnlyDictionary<string, int> RankPattern { get; init; } = new Dictionary<string, int>();

    /// <summary>α of modules whose names end with a key, a regular expression; the first match counts.</summary>
    public IReadOnlyDictionary<string, double> AlphaPattern { get; init; } = new Dictionary<string, double>();

    internal override void Validate()
    {
        base.Validate();
        Guard.AtLeast(Rank, 1, nameof(Rank));
        Guard.Positive(Alpha, nameof(Alpha));
        foreach (var (key, rank) in RankPattern)
            Guard.AtLeast(rank, 1, $"RankPattern[{key}]");
        foreach (var (key, alpha) in AlphaPattern)
            Guard.Positive(alpha, $"AlphaPattern[{key}]");
    }

    /// <summary>Returns a module's rank and scale.</summary>
    internal (int Rank, double Scale) Of(string module)
    {
        var rank = ModuleSelection.KeyFor(RankPattern.Keys, module) is { } rankKey ? RankPattern[rankKey] : Rank;
        var alpha = ModuleSelection.KeyFor(AlphaPattern.Keys, module) is { } alphaKey ? AlphaPattern[alphaKey] : Alpha;
        return (rank, Scale(alpha, rank));
    }

    private protected virtual double Scale(double alpha, int rank) => alpha / rank;
}
