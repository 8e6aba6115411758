namespace PostTrain.Rollouts;

/// <summary>How completions are drawn. Each token: suppress, divide by the temperature, keep the top k, of those the top p, draw.</summary>
public sealed record SamplingOptions
{
    /// <summary>What logits are divided by; 0 takes the likeliest token (greedy). Default 1.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Draw only from the k likeliest tokens; 0, the default, keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Draw only from the smallest set of likeliest tokens whose probability, among those that top-k kept, reaches this (Holtzman et al. 2020,
    /// arXiv:1904.09751); at least one is kept. In (0, 1]; 1, the default, keeps all.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>The most tokens that a completion gets; fewer where the context ends before. Default 64.</summary>
    public int MaxNewTokens { get; init; } = 64;

    /// <summary>Tokens that end a completion; the stop token belongs to it. Default none.</summary>
    public IReadOnlyList<int> StopTokens { get; init; } = [];

    /// <summary>Tokens that are never drawn, e.g. padding. Their probability is 0 in the recorded log-probs too. Default none.</summary>
    public IReadOnlyList<int> SuppressedTokens { get; init; } = [];

    /// <summary>Number of the batch's first row, for a batch drawn in parts: row i draws the random numbers of row <c>FirstRow + i</c>. Default 0.</summary>
    public int FirstRow { get; init; }

    /// <summary>The same, ending completions at this token unless <see cref="StopTokens"/> says otherwise.</summary>
    /// <param name="endOfSequenceId">Usually the tokenizer's; null leaves the options as they are.</param>
    public SamplingOptions StoppingAt(int? endOfSequenceId) =>
        StopTokens.Count > 0 || endOfSequenceId is not { } id ? this : this with { StopTokens = [id] };

    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range; the message names the value and the range.</exception>
    internal void Validate(int vocabularySize)
    {
        if (!(Temperature >= 0) || !double.IsFinite(Temperature))
            throw Refused(nameof(Temperature), Temperature, "Temperature must be finite and not negative.");
        ArgumentOutOfRangeException.ThrowIfNegative(TopK);
        if (!(TopP > 0 && TopP <= 1))
            throw Refused(nameof(TopP), TopP, "TopP must be in (0, 1].");
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(MaxNewTokens);
        ArgumentOutOfRangeException.ThrowIfNegative(FirstRow);
        InVocabulary(StopTokens, nameof(StopTokens), vocabularySize);
        InVocabulary(SuppressedTokens, nameof(SuppressedTokens), vocabularySize);
        if (SuppressedTokens.Distinct().Count() == vocabularySize)
            throw Refused(nameof(SuppressedTokens), vocabularySize, "SuppressedTokens must leave at least one token.");
    }

    private static ArgumentOutOfRangeException Refused(string name, object value, string rule) => new(name, value, rule);

    private static void InVocabulary(IReadOnlyList<int> ids, string name, int vocabularySize)
    {
        foreach (var id in ids)
        {
            if (id < 0 || id >= vocabularySize)
                throw new ArgumentOutOfRangeException(name, id, $"{name} must hold ids from 0 to {vocabularySize - 1}.");
        }
    }
}
