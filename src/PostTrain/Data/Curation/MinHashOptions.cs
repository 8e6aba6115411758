using PostTrain.Numerics;

namespace PostTrain.Data.Curation;

/// <summary>Options of the search for near duplicates.</summary>
public sealed record MinHashOptions
{
    /// <summary>k, the hashes of a signature; a multiple of <see cref="Bands"/>. The similarity's standard error is √(J(1−J)/k).</summary>
    /// <value>The default is 128.</value>
    public int Hashes { get; init; } = 128;

    /// <summary>b, the groups of hashes of which one has to agree for a candidate, at least 1.</summary>
    /// <value>The default is 32: r = 4 hashes each, a pair of similarity 0.7 is missed with probability 2e-4.</value>
    public int Bands { get; init; } = 32;

    /// <summary>Tokens of a shingle, at least 1. A text with fewer is one shingle.</summary>
    /// <value>The default is 3.</value>
    public int ShingleSize { get; init; } = 3;

    /// <summary>Least Jaccard similarity of near duplicates, above 0 and at most 1.</summary>
    /// <value>The default is 0.7.</value>
    public double Threshold { get; init; } = 0.7;

    /// <summary>Seed of the hashes.</summary>
    /// <value>The default is 0.</value>
    public ulong Seed { get; init; }

    internal void Check()
    {
        Guard.AtLeast(Hashes, 1, nameof(Hashes));
        Guard.AtLeast(Bands, 1, nameof(Bands));
        Guard.AtLeast(ShingleSize, 1, nameof(ShingleSize));
        if (Hashes % Bands != 0)
            throw new ArgumentOutOfRangeException(nameof(Bands), Bands, $"Bands must divide Hashes, {Hashes}");
        if (!(Threshold is > 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(Threshold), Threshold, "Threshold must be above 0 and at most 1");
    }
}
