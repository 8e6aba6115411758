namespace PostTrain.Text.HuggingFace;

/// <summary>Removes the spaces that tokenization put before punctuation.</summary>
internal static class Spacing
{
    private static readonly (string From, string To)[] Rules =
    [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];

    internal static string CleanUp(string text) =>
        Rules.Aggregate(text, (current, rule) => current.Replace(rule.From, rule.To, StringComparison.Ordinal));
}
