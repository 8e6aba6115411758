using PostTrain.Numerics;

namespace PostTrain.Compression.Quantization;

/// <summary>Options of GPTQ.</summary>
public sealed record GptqOptions
{
    /// <summary>Bits, groups and ranges; the ranges of GPTQ's authors are <see cref="IntegerRange.Symmetric"/> and
    /// <see cref="IntegerRange.Asymmetric"/>.</summary>
    public IntegerOptions Integers { get; init; } = new();

    /// <summary>True to process columns by decreasing diagonal of the Hessian, so that the errors of large ones can be
    /// compensated.</summary>
    /// <value>The default is false.</value>
    public bool ActivationOrder { get; init; }

    /// <summary>True if groups are those of the original columns, with scales of the original weights, in any order.</summary>
    /// <value>The default is false.</value>
    public bool StaticGroups { get; init; }

    /// <summary>Addition to the Hessian's diagonal, as a fraction of its mean, above 0.</summary>
    /// <value>The default is 0.01.</value>
    public double Damping { get; init; } = 0.01;

    /// <summary>Columns after which the errors go on to all columns that follow; a group's scale sees the corrections of finished blocks
    /// only.</summary>
    /// <value>The default is 128.</value>
    public int BlockSize { get; init; } = 128;

    internal void Validate()
    {
        Integers.Validate();
        Guard.Positive(Damping, nameof(Damping));
        Guard.AtLeast(BlockSize, 1, nameof(BlockSize));
    }
}
