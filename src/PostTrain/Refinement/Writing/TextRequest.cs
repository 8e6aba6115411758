using PostTrain.Numerics;
using PostTrain.Rollouts;

namespace PostTrain.Refinement.Writing;

/// <summary>Options for the completion of a batch of prompts by a text source.</summary>
public sealed record TextRequest
{
    /// <summary>Temperature, at least 0; 0 is greedy. Default 1.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Top-p, above 0 and at most 1. Default 1, which keeps all tokens.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Maximum number of tokens of a completion, at least 1. Default 512.</summary>
    public int MaxTokens { get; init; } = 512;

    /// <summary>Texts that end a completion and are not part of it. Default none.</summary>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>Seed of a source that supports one, combined with the prompt's index in the batch.</summary>
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
