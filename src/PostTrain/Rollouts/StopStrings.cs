using PostTrain.Text;

namespace PostTrain.Rollouts;

/// <summary>Finds stop strings in the text of a completion, wherever they fall into tokens. Special tokens count as they are spelt and as
/// nothing: a stop string may be one, hold one, or go on behind one.</summary>
internal sealed class StopStrings
{
    private readonly IReadOnlyList<string> texts;
    private readonly ITokenizer tokenizer;

    private StopStrings(IReadOnlyList<string> texts, ITokenizer tokenizer) => (this.texts, this.tokenizer) = (texts, tokenizer);

    /// <summary>The stop strings of options; null where they have none.</summary>
    /// <exception cref="ArgumentException">There is no tokenizer to decode with.</exception>
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

    /// <summary>Whether a completion holds one; it has ended at the first.</summary>
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
