using PostTrain.Numerics;

namespace PostTrain.Adapters;

/// <summary>Options of <see cref="AdaptedModel.Combine"/>.</summary>
public sealed record CombinationOptions
{
    /// <summary>The rule.</summary>
    /// <value>The default is <see cref="CombinationKind.Concatenation"/>, the exact sum.</value>
    public CombinationKind Kind { get; init; } = CombinationKind.Concatenation;

    /// <summary>The share of entries to keep, in [0, 1]; above 0 for DARE.</summary>
    /// <value>The default is 1.</value>
    public double Density { get; init; } = 1;

    /// <summary>The rule by which TIES elects signs.</summary>
    /// <value>The default is by the sum.</value>
    public MajoritySign MajoritySign { get; init; }

    /// <summary>Rank of the kinds with a decomposition; null means the largest of the adapters'.</summary>
    /// <value>The default is null.</value>
    public int? Rank { get; init; }

    /// <summary>For the kinds with a decomposition: the quantile at which entries of A and B are clipped, in (0, 1]; null for no
    /// clipping.</summary>
    /// <value>The default is null.</value>
    public double? Clamp { get; init; }

    /// <summary>Seed of DARE's random drops.</summary>
    /// <value>The default is 0.</value>
    public ulong Seed { get; init; }

    internal bool Decomposes =>
        Kind
            is CombinationKind.Svd
                or CombinationKind.TiesSvd
                or CombinationKind.DareLinearSvd
                or CombinationKind.DareTiesSvd
                or CombinationKind.MagnitudePruneSvd;

    internal void Validate()
    {
        Guard.Fraction(Density, nameof(Density));
        if (Rank is { } rank)
            Guard.AtLeast(rank, 1, nameof(Rank));
        if (Clamp is { } clamp && !(clamp is > 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(Clamp), clamp, "Clamp must be above 0 and at most 1");
    }
}
