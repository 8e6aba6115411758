using PostTrain.Compression.Quantization;
using PostTrain.Numerics;

namespace PostTrain.Compression.Pruning;

/// <summary>Options of SparseGPT.</summary>
public sealed record SparseGptOptions
{
    /// <summary>How much is removed; a fraction is met in each block of columns, over all rows.</summary>
    /// <value>The default is the half.</value>
    public Sparsity Sparsity { get; init; } = Sparsity.Part(0.5);

    /// <summary>What is added to the Hessian's diagonal, as a part of its mean, above 0.</summary>
    /// <value>The default is 0.01.</value>
    public double Damping { get; init; } = 0.01;

    /// <summary>Columns of a block; of N:M a multiple of M.</summary>
    /// <value>The default is 128.</value>
    public int BlockSize { get; init; } = 128;

    /// <summary>Rounds what stays to whole numbers in the same pass, with one range a row of the original weights; null leaves it. The
    /// group size is not used.</summary>
    /// <value>The default is null.</value>
    public IntegerOptions? Quantization { get; init; }

    internal void Validate()
    {
        Guard.Positive(Damping, nameof(Damping));
        Guard.AtLeast(BlockSize, 1, nameof(BlockSize));
        Quantization?.Validate();
        if (Sparsity.IsStructured && BlockSize % Sparsity.Of != 0)
            throw new ArgumentException(
                $"BlockSize is {BlockSize}, expected a multiple of {Sparsity.Of} for {Sparsity}",
                nameof(BlockSize)
            );
    }
}
