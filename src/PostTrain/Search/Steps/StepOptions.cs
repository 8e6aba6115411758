using PostTrain.Numerics;
using PostTrain.Rollouts;

namespace PostTrain.Search;

/// <summary>Options of a generator on a local model.</summary>
public sealed record StepOptions
{
    /// <summary>Texts that end a step; the step keeps them. Empty: steps of <see cref="MaxStepTokens"/> tokens. Default: an empty
    /// line.</summary>
    public IReadOnlyList<string> Separators { get; init; } = ["\n\n"];

    /// <summary>The most tokens of a step, at least 1; a step without a separator ends there, and the solution goes on. Default
    /// 256.</summary>
    public int MaxStepTokens { get; init; } = 256;

    /// <summary>Options of the sampling. <see cref="SamplingOptions.MaxNewTokens"/> limits the whole solution, stop tokens and stop strings
    /// end it. Default: the model's own distribution, 64 tokens.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>The most bytes of keys and values that are kept of earlier branches, at least 0. What does not fit is computed again when
    /// a branch goes on. Default 512 MiB.</summary>
    public long CacheBytes { get; init; } = 512L << 20;

    internal void Validate(int vocabularySize)
    {
        ArgumentNullException.ThrowIfNull(Separators);
        ArgumentNullException.ThrowIfNull(Sampling);
        if (Separators.Any(string.IsNullOrEmpty))
            throw Refused("Separators holds an empty text, expected at least one character each", nameof(Separators));
        Guard.AtLeast(MaxStepTokens, 1, nameof(MaxStepTokens));
        Guard.AtLeast(CacheBytes, 0, nameof(CacheBytes));
        Sampling.Validate(vocabularySize);
        if (Sampling.MinNewTokens > 0)
            throw Refused(
                $"Sampling.MinNewTokens is {Sampling.MinNewTokens}, expected 0: a step has no minimum; "
                    + "BudgetForcing holds a solution to one",
                nameof(Sampling)
            );
        if (Sampling.RowSeeds is not null)
            throw Refused("Sampling.RowSeeds is given, expected none: each request has a seed", nameof(Sampling));
    }

    private static ArgumentException Refused(string message, string name) => new(message, name);
}
