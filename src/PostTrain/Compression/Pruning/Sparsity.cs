using PostTrain.Numerics;

namespace PostTrain.Compression.Pruning;

/// <summary>How much of a weight is removed: a fraction, or N of every M neighbours in a row.</summary>
public readonly record struct Sparsity
{
    private Sparsity(double fraction, int removed, int of) => (Fraction, Removed, Of) = (fraction, removed, of);

    /// <summary>The part that is removed, from 0 to 1.</summary>
    public double Fraction { get; }

    /// <summary>N, the neighbours that are removed; 0 where a fraction is.</summary>
    public int Removed { get; }

    /// <summary>M, of how many; 0 where a fraction is.</summary>
    public int Of { get; }

    /// <summary>Whether N of M are removed.</summary>
    public bool IsStructured => Of > 0;

    /// <summary>A part of the entries, wherever they are.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not from 0 to 1.</exception>
    public static Sparsity Part(double fraction)
    {
        Guard.Fraction(fraction, nameof(fraction));
        return new Sparsity(fraction, 0, 0);
    }

    /// <summary>N of every M neighbours in a row are removed; 2:4 and 4:8 remove the half.</summary>
    /// <param name="removed">N, from 0 to M.</param>
    /// <param name="of">M, from 1 to 1024; rows must be whole groups.</param>
    public static Sparsity Pattern(int removed, int of)
    {
        if (of is < 1 or > 1024)
            throw new ArgumentOutOfRangeException(nameof(of), of, "M must be from 1 to 1024");
        if (removed < 0 || removed > of)
            throw new ArgumentOutOfRangeException(nameof(removed), removed, $"N must be from 0 to {of}");
        return new Sparsity((double)removed / of, removed, of);
    }

    /// <inheritdoc/>
    public override string ToString() => IsStructured ? $"{Removed}:{Of}" : FormattableString.Invariant($"{Fraction:P0}");

    internal void Fit(long columns, string name)
    {
        if (IsStructured && columns % Of != 0)
            throw new ArgumentException($"{name} has rows of {columns}, expected whole groups of {Of}", name);
    }
}
