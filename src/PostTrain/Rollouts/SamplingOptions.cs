using PostTrain.Models;
using PostTrain.Rollouts.Logits;
using PostTrain.Text;

namespace PostTrain.Rollouts;

/// <summary>Options of sampling, greedy search and beam search.</summary>
/// <remarks>
/// Each step goes through these, in transformers' order, those that are left at their defaults not at all: sequence biases, repetition
/// penalty, no repeated n-grams, bad words, no stop token before the minimum, suppressed tokens, processors of one's own; then temperature,
/// top-k, top-p, min-p, typical, ε and η cutoffs; then the draw. Options that ban every token of a row end the generation with an error
/// that names the row, the step and the options; a hypothesis of a beam search that cannot go on is dropped, as long as there is another.
/// </remarks>
public sealed record SamplingOptions
{
    /// <summary>Temperature: divides the logits; 0 takes the likeliest token (greedy), and so does anything below 1e-30. Default
    /// 1.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Draw only from the k likeliest tokens (and those that equal the least of them); 0, the default, keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Draw only from the smallest set of likeliest tokens whose probability, among those that top-k kept, reaches this (Holtzman
    /// et al. 2020, arXiv:1904.09751); at least one is kept. In (0, 1]; 1, the default, keeps all.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Draw only from tokens at least this times as likely as the likeliest (Nguyen et al. 2024, arXiv:2407.01082). In [0, 1]; 0,
    /// the default, keeps all.</summary>
    public double MinP { get; init; }

    /// <summary>Draw only from the tokens whose surprise is nearest to the entropy, up to this probability (Meister et al. 2023,
    /// arXiv:2202.00666). In (0, 1]; 1, the default, keeps all.</summary>
    public double TypicalP { get; init; } = 1;

    /// <summary>Draw only from tokens of at least this probability (Hewitt et al. 2022, arXiv:2210.15191). In [0, 1); 0, the default, keeps
    /// all.</summary>
    public double EpsilonCutoff { get; init; }

    /// <summary>As <see cref="EpsilonCutoff"/>, with a bound that falls with the entropy: min(ε, √ε e^(−H)). In [0, 1); 0, the default,
    /// keeps all.</summary>
    public double EtaCutoff { get; init; }

    /// <summary>Repetition penalty: divides the scores of tokens that have occurred, or multiplies negative ones (Keskar et al. 2019,
    /// arXiv:1909.05858). Positive; 1, the default, changes nothing.</summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>No n-gram of this size comes twice, prompt included; 0, the default, allows it.</summary>
    public int NoRepeatNGramSize { get; init; }

    /// <summary>Words, as token ids, that never come. Default none.</summary>
    public IReadOnlyList<IReadOnlyList<int>> BadWords { get; init; } = [];

    /// <summary>Biases of tokens or sequences of tokens. Default none.</summary>
    public IReadOnlyList<SequenceBias> SequenceBiases { get; init; } = [];

    /// <summary>Further processors, before the temperature, in this order. Default none.</summary>
    public IReadOnlyList<LogitProcessor> Processors { get; init; } = [];

    /// <summary>Rules behind the draw, each in turn until one replaces the token, such as a budget of thinking tokens. Default
    /// none.</summary>
    public IReadOnlyList<DecodingRule> Rules { get; init; } = [];

    /// <summary>The most tokens that a completion gets; fewer where its own prompt and completion fill the context before. Default
    /// 64.</summary>
    public int MaxNewTokens { get; init; } = 64;

    /// <summary>No stop token is drawn before a completion has this many tokens. Default 0.</summary>
    public int MinNewTokens { get; init; }

    /// <summary>Tokens that end a completion; the stop token belongs to it. Default none.</summary>
    public IReadOnlyList<int> StopTokens { get; init; } = [];

    /// <summary>Texts that end a completion, wherever their characters fall into tokens; the token that completes one belongs to the
    /// completion. One may be, or hold, the spelling of a special token. They need a tokenizer. Default none.</summary>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>Tokens that are never drawn, e.g. padding. Their probability is 0 in the recorded log-probs too. Default none.</summary>
    public IReadOnlyList<int> SuppressedTokens { get; init; } = [];

    /// <summary>Number of the batch's first row, for a batch drawn in parts: row i draws the random numbers of row <c>FirstRow + i</c>.
    /// Default 0.</summary>
    public int FirstRow { get; init; }

    /// <summary>A number of its own for each row, in place of <see cref="FirstRow"/> plus its place: a row's random numbers are a function
    /// of (seed, this, position). As many as there are prompts; null, the default, numbers them.</summary>
    public IReadOnlyList<ulong>? RowSeeds { get; init; }

    /// <summary>Source of the recorded log-probs. Default <see cref="LogProbRecording.Rescored"/>.</summary>
    public LogProbRecording Recording { get; init; }

    /// <summary>Rows of each forward pass of <see cref="LogProbRecording.Rescored"/>: the micro-batch size of the training whose log-probs
    /// are to be equal. Null, the default: all rows in one.</summary>
    public int? ScoringRows { get; init; }

    /// <summary>Returns these options with this stop token unless <see cref="StopTokens"/> says otherwise.</summary>
    /// <param name="endOfSequenceId">Usually the tokenizer's; null leaves the options as they are.</param>
    public SamplingOptions StoppingAt(int? endOfSequenceId) =>
        StopTokens.Count > 0 || endOfSequenceId is not { } id ? this : this with { StopTokens = [id] };

    /// <summary>Returns these options with every end of generation that the files name as stop tokens, unless <see cref="StopTokens"/> says
    /// otherwise: those of the tokenizer (<see cref="ITokenizer.EndOfSequenceIds"/>) and those of the model
    /// (<see cref="CausalLm.EndOfSequenceIds"/>).</summary>
    /// <param name="model">Draws; ids that it cannot draw are left out.</param>
    /// <param name="tokenizer">The model's.</param>
    public SamplingOptions StoppingAt(CausalLm model, ITokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        return StopTokens.Count > 0
            ? this
            : this with
            {
                StopTokens =
                [
                    .. tokenizer
                        .EndOfSequenceIds.Concat(model.EndOfSequenceIds)
                        .Distinct()
                        .Where(id => id >= 0 && id < model.VocabularySize),
                ],
            };
    }

    /// <exception cref="ArgumentException">A value is out of its range; the message names the value and the range.</exception>
    internal void Validate(int vocabularySize)
    {
        if (!(Temperature >= 0) || !double.IsFinite(Temperature))
            throw Refused(nameof(Temperature), Temperature, "Temperature must be finite and not negative.");
        ArgumentOutOfRangeException.ThrowIfNegative(TopK);
        Within(TopP > 0 && TopP <= 1, nameof(TopP), TopP, "(0, 1]");
        Within(MinP >= 0 && MinP <= 1, nameof(MinP), MinP, "[0, 1]");
        Within(TypicalP > 0 && TypicalP <= 1, nameof(TypicalP), TypicalP, "(0, 1]");
        Within(EpsilonCutoff >= 0 && EpsilonCutoff < 1, nameof(EpsilonCutoff), EpsilonCutoff, "[0, 1)");
        Within(EtaCutoff >= 0 && EtaCutoff < 1, nameof(EtaCutoff), EtaCutoff, "[0, 1)");
        if (!(RepetitionPenalty > 0) || !double.IsFinite(RepetitionPenalty))
            throw Refused(nameof(RepetitionPenalty), RepetitionPenalty, "RepetitionPenalty must be positive and finite.");
        ArgumentOutOfRangeException.ThrowIfNegative(NoRepeatNGramSize);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(MaxNewTokens);
        ArgumentOutOfRangeException.ThrowIfNegative(MinNewTokens);
        ArgumentOutOfRangeException.ThrowIfNegative(FirstRow);
        if (ScoringRows is { } rows)
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows, nameof(ScoringRows));
        if (Rules is null || Rules.Any(rule => rule is null))
            throw Refused(nameof(Rules), "null", "Rules must hold rules.");
        if (StopStrings.Any(string.IsNullOrEmpty))
            throw Refused(nameof(StopStrings), "", "StopStrings must hold texts of at least one character.");
        InVocabulary(StopTokens, nameof(StopTokens), vocabularySize);
        InVocabulary(SuppressedTokens, nameof(SuppressedTokens), vocabularySize);
        if (SuppressedTokens.Distinct().Count() == vocabularySize)
            throw Refused(nameof(SuppressedTokens), vocabularySize, "SuppressedTokens must leave at least one token.");
        SequenceBiasTable.Check(SequenceBiases, vocabularySize);
        SequenceBiasTable.Check(BadWordBiases, vocabularySize);
    }

    /// <summary>The bad words as biases.</summary>
    internal IReadOnlyList<SequenceBias> BadWordBiases => [.. BadWords.Select(word => new SequenceBias(word, double.NegativeInfinity))];

    private static ArgumentOutOfRangeException Refused(string name, object value, string rule) => new(name, value, rule);

    private static void Within(bool inside, string name, double value, string range)
    {
        if (!inside)
            throw Refused(name, value, $"{name} must be in {range}.");
    }

    private static void InVocabulary(IReadOnlyList<int> ids, string name, int vocabularySize)
    {
        foreach (var id in ids)
        {
            if (id < 0 || id >= vocabularySize)
                throw new ArgumentOutOfRangeException(name, id, $"{name} must hold ids from 0 to {vocabularySize - 1}.");
        }
    }
}
