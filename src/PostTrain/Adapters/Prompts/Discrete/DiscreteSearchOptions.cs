using PostTrain.Numerics;

namespace PostTrain.Adapters.Prompts;

/// <summary>Options of <see cref="DiscretePromptSearch"/>.</summary>
public sealed record DiscreteSearchOptions
{
    /// <summary>Number of tokens of the prompt, n, at least 1.</summary>
    public required int Length { get; init; }

    /// <summary>Prompts kept from round to round, at least 1.</summary>
    /// <value>The default is 4.</value>
    public int Beam { get; init; } = 4;

    /// <summary>Replacements evaluated at each position of a kept prompt, the best by the gradient, at least 1.</summary>
    /// <value>The default is 16.</value>
    public int Candidates { get; init; } = 16;

    /// <summary>Maximum number of rounds of one start; it ends earlier if no replacement is left to try.</summary>
    /// <value>The default is 32.</value>
    public int Rounds { get; init; } = 32;

    /// <summary>Number of starts from different random prompts, at least 1. No prompt is evaluated twice.</summary>
    /// <value>The default is 4.</value>
    public int Starts { get; init; } = 4;

    /// <summary>An initial prompt of <see cref="Length"/> tokens for the first start's beam; null for none.</summary>
    public IReadOnlyList<int>? Initial { get; init; }

    /// <summary>The ids allowed in a prompt; null for all.</summary>
    public IReadOnlyList<int>? AllowedTokens { get; init; }

    /// <summary>Seed of the random prompts.</summary>
    public ulong Seed { get; init; } = 1;

    internal int[] Check(int vocabularySize)
    {
        Guard.AtLeast(Length, 1, nameof(Length));
        Guard.AtLeast(Beam, 1, nameof(Beam));
        Guard.AtLeast(Candidates, 1, nameof(Candidates));
        Guard.AtLeast(Rounds, 1, nameof(Rounds));
        Guard.AtLeast(Starts, 1, nameof(Starts));
        int[] allowed = [.. (AllowedTokens ?? [.. Enumerable.Range(0, vocabularySize)]).Distinct().Order()];
        if (allowed.Length == 0 || allowed[0] < 0 || allowed[^1] >= vocabularySize)
            throw Refusal(nameof(AllowedTokens), $"AllowedTokens must hold at least one id, each from 0 to {vocabularySize - 1}.");
        if (Initial is not null && (Initial.Count != Length || Initial.Any(id => id < 0 || id >= vocabularySize)))
            throw Refusal(nameof(Initial), $"Initial has {Initial.Count} ids, expected {Length} from 0 to {vocabularySize - 1}.");
        return allowed;
    }

    private static ArgumentException Refusal(string name, string message) => new(message, name);
}
