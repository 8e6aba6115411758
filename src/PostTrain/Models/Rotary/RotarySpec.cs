namespace PostTrain.Models;

/// <summary>A rotary position embedding (Su et al. 2021, arXiv:2104.09864).</summary>
public sealed record RotarySpec
{
    /// <summary>Base θ, above 0. Default 10000.</summary>
    public double Theta { get; init; } = 10_000;

    /// <summary>Fraction of a head's elements that is rotated, the first ones; above 0, at most 1. Default 1.</summary>
    public double Fraction { get; init; } = 1;

    /// <summary>The scaling of the frequencies for longer texts; null, the default: none.</summary>
    public RotaryScaling? Scaling { get; init; }

    /// <summary>Returns the number of rotated elements of a head of <paramref name="headSize"/>.</summary>
    internal int Size(int headSize) => (int)(headSize * Fraction);

    /// <summary>Validates every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range; the message names it and the range.</exception>
    internal void Validate(int headSize)
    {
        Numerics.Guard.Positive(Theta, nameof(Theta));
        Numerics.Guard.Positive(Fraction, nameof(Fraction));
        Numerics.Guard.Fraction(Fraction, nameof(Fraction));
        if (Size(headSize) is var size && (size % 2 != 0 || size == 0))
            throw new ArgumentOutOfRangeException(
                nameof(headSize),
                headSize,
                $"The rotary embedding turns {size} elements of a head, expected an even number above 0: HeadSize · Fraction."
            );
        Scaling?.Validate();
    }
}
