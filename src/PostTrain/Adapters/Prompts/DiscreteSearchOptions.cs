using PostTrain.Numerics;

namespace PostTrain.Adapters.Prompts;

/// <summary>How <see cref="DiscretePromptSearch"/> looks for a prompt.</summary>
public sealed record DiscreteSearchOptions
{
    /// <summary>Number of tokens of the prompt, n, at least 1.</summary>
    public required int Length { get; init; }

    /// <summary>Prompts that are kept from round to round, at least 1.</summary>
    /// <value>The default is 4.</value>
    public int Beam { get; init; } = 4;

    /// <summary>Replacements that are evaluated at each place of a kept prompt, the best by the gradient, at least 1.</summary>
    /// <value>The default is 16.</value>
    public int Candidates { get; init; } = 16;

    /// <summary>Rounds of one start at most; it ends before where no replacement is left to try.</summary>
    /// <value>The default is 32.</value>
    public int Rounds { get; init; } = 32;

    /// <summary>Starts from other random prompts, at least 1; prompts that were evaluated are not evaluated again.</summary>
    /// <value>The default is 4.</value>
    public int Starts { get; init; } = 4;

    /// <summary>A prompt to start from, of <see cref="Length"/> tokens; it is in the first start's beam. Null: none.</summary>
    public IReadOnlyList<int>? Initial { get; init; }

    /// <summary>The ids that may stand in a prompt; null: all.</summary>
    public IReadOnlyList<int>? AllowedTokens { get; init; }

    /// <summary>Where the random prompts come from.</summary>
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
