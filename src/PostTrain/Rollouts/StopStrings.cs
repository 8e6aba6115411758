using PostTrain.Text;

namespace PostTrain.Rollouts;

/// <summary>Finds stop strings in the text of a completion, however they are split into tokens. Special tokens are searched both as spelled
/// and as nothing, so a stop string may be one, contain one, or continue after one.</summary>
internal sealed class StopStrings
{
    private readonly IReadOnlyList<string> texts;
    private readonly ITokenizer tokenizer;

    private StopStrings(IReadOnlyList<string> texts, ITokenizer tokenizer) => (this.texts, this.tokenizer) = (texts, tokenizer);

    /// <summary>Returns the stop strings of options; null if there are none.</summary>
    /// <exception cref="ArgumentException">There is no tokenizer for decoding.</exception>
    public static StopStrings? Of(SamplingOptions options, ITokenizer? tokenizer) =>
        options.StopStrings.Count == 0
            ? null
            : new StopStrings(
                options.StopStrings,
                tokenizer
                    ?? throw new ArgumentException(
                        "StopStrings are given and no tokenizer, expected one to decode with.",
                        nameof(tokenizer)
                    )
            );

    /// <summary>Returns true if a completion contains a stop string; it has ended at the first one.</summary>
    public bool End(ReadOnlySpan<int> completion)
    {
        string plain = tokenizer.Decode(completion),
            spelt = tokenizer.Decode(completion, skipSpecialTokens: false);
        foreach (string stop in texts)
            if (plain.Contains(stop, StringComparison.Ordinal) || spelt.Contains(stop, StringComparison.Ordinal))
                return true;
        return false;
    }
}
