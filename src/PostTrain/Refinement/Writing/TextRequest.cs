using PostTrain.Numerics;
using PostTrain.Rollouts;

namespace PostTrain.Refinement.Writing;

/// <summary>How a text source is to complete a batch of prompts.</summary>
public sealed record TextRequest
{
    /// <summary>At least 0; 0 is greedy. Default 1.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Above 0 and at most 1, which, the default, keeps all tokens.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>The most tokens of a completion, at least 1. Default 512.</summary>
    public int MaxTokens { get; init; } = 512;

    /// <summary>Texts that end a completion and do not belong to it. Default none.</summary>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>Where a source that can be seeded takes its randomness from, together with the prompt's place in the batch.</summary>
    public ulong Seed { get; init; }

    internal TextRequest Validated()
    {
        Guard.NotNegative(Temperature, nameof(Temperature));
        if (!(TopP is > 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(TopP), TopP, "TopP must be above 0 and at most 1");
        Guard.AtLeast(MaxTokens, 1, nameof(MaxTokens));
        if (StopStrings.Any(string.IsNullOrEmpty))
            throw new ArgumentException("StopStrings holds an empty text, expected at least one character each", nameof(StopStrings));
        return this;
    }
}
