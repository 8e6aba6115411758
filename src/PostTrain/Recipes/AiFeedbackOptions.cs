using PostTrain.Numerics;
using PostTrain.Rollouts;

namespace PostTrain.Recipes;

/// <summary>Options of <see cref="AiFeedback"/>.</summary>
public sealed record AiFeedbackOptions
{
    /// <summary>Pairs per problem, at least 1, of two completions each.</summary>
    /// <value>The default is 1.</value>
    public int PairsPerProblem { get; init; } = 1;

    /// <summary>Options of the sampling, at a temperature above 0.</summary>
    /// <value>The default is temperature 1 and at most 64 tokens.</value>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Draws the completions: a server, another engine, a source of your own; it gets the policy's weights before the first
    /// draw.</summary>
    /// <value>The default is null: the policy itself draws.</value>
    public IRolloutSource? Source { get; init; }

    /// <summary>Number of pairs sampled and judged at a time, at least 1. It does not affect the samples, up to the rounding of
    /// logits.</summary>
    /// <value>The default is 64.</value>
    public int BatchSize { get; init; } = 64;

    /// <summary>Maximum number of concurrent questions, at least 1.</summary>
    /// <value>The default is 8.</value>
    public int Parallelism { get; init; } = 8;

    /// <summary>Seed of the sampling.</summary>
    /// <value>The default is 0.</value>
    public ulong Seed { get; init; }

    internal void Validate()
    {
        Guard.AtLeast(PairsPerProblem, 1, nameof(PairsPerProblem));
        ArgumentNullException.ThrowIfNull(Sampling);
        if (!(Sampling.Temperature > 0))
            throw new ArgumentOutOfRangeException(
                nameof(Sampling),
                Sampling.Temperature,
                "Sampling.Temperature must be above 0: greedy completions of a prompt are all the same"
            );
        Guard.AtLeast(BatchSize, 1, nameof(BatchSize));
        Guard.AtLeast(Parallelism, 1, nameof(Parallelism));
    }
}
