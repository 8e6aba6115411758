using PostTrain.Numerics;
using PostTrain.Rollouts;

namespace PostTrain.Refinement.Writing;

/// <summary>Options of <see cref="ModelRefiner"/>.</summary>
public sealed record ModelRefinerOptions
{
    /// <summary>The prompt of a revision.</summary>
    /// <value>The default is the template's default.</value>
    public RevisionTemplate Template { get; init; } = new();

    /// <summary>Options of the sampling; the refiner sets <see cref="SamplingOptions.RowSeeds"/>.</summary>
    /// <value>The default is temperature 1 and at most 64 tokens.</value>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Number of texts sampled at once, at least 1. It does not affect the samples, up to the rounding of logits.</summary>
    /// <value>The default is 256.</value>
    public int BatchSize { get; init; } = 256;

    /// <summary>Seed of the sampling.</summary>
    /// <value>The default is 0.</value>
    public ulong Seed { get; init; }

    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(Template);
        ArgumentNullException.ThrowIfNull(Sampling);
        Guard.AtLeast(BatchSize, 1, nameof(BatchSize));
    }
}
