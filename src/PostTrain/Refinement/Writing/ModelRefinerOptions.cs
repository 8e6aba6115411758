using PostTrain.Numerics;
using PostTrain.Rollouts;

namespace PostTrain.Refinement.Writing;

/// <summary>Options of <see cref="ModelRefiner"/>.</summary>
public sealed record ModelRefinerOptions
{
    /// <summary>The prompt of a revision.</summary>
    /// <value>The default is the template's default.</value>
    public RevisionTemplate Template { get; init; } = new();

    /// <summary>How texts are drawn; <see cref="SamplingOptions.RowSeeds"/> are the refiner's own.</summary>
    /// <value>The default is temperature 1 and at most 64 tokens.</value>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Texts that are drawn at once, at least 1. What is drawn does not depend on it, up to the rounding of logits.</summary>
    /// <value>The default is 256.</value>
    public int BatchSize { get; init; } = 256;

    /// <summary>Where the draws come from.</summary>
    /// <value>The default is 0.</value>
    public ulong Seed { get; init; }

    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(Template);
        ArgumentNullException.ThrowIfNull(Sampling);
        Guard.AtLeast(BatchSize, 1, nameof(BatchSize));
    }
}
