using PostTrain.Numerics;

namespace PostTrain.Compression.Quantization;

/// <summary>Quantisation to whole numbers of 2 to 8 bits in groups of a row.</summary>
public sealed record IntegerOptions
{
    /// <summary>Bits of a code, 2 to 8.</summary>
    /// <value>The default is 4.</value>
    public int Bits { get; init; } = 4;

    /// <summary>Columns of a group, which share a scale and a zero point; 0 takes the whole row.</summary>
    /// <value>The default is 64.</value>
    public int GroupSize { get; init; } = 64;

    /// <summary>The rule for a group's scale and zero point.</summary>
    /// <value>The default is <see cref="IntegerRange.Asymmetric"/>.</value>
    public IntegerRange Range { get; init; } = IntegerRange.Asymmetric;

    /// <summary>True if rows share the scale of the largest range; groups of columns remain separate.</summary>
    /// <value>The default is false.</value>
    public bool PerTensor { get; init; }

    /// <summary>True to shrink the range, by up to four fifths in steps of a hundredth, to the minimum of the sum of |w − ŵ|^2.4; with
    /// GPTQ's ranges.</summary>
    /// <value>The default is false.</value>
    public bool SearchRange { get; init; }

    /// <summary>Codes, less one.</summary>
    internal int Largest => (1 << Bits) - 1;

    internal void Validate()
    {
        if (Bits is < 2 or > 8)
            throw new ArgumentOutOfRangeException(nameof(Bits), Bits, "Bits must be from 2 to 8");
        Guard.AtLeast(GroupSize, 0, nameof(GroupSize));
        if (SearchRange && Range is not (IntegerRange.Symmetric or IntegerRange.Asymmetric))
            throw new ArgumentException(
                $"SearchRange is given with the range {Range}, expected Symmetric or Asymmetric",
                nameof(SearchRange)
            );
    }
}
