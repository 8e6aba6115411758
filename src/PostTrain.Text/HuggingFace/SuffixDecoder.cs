namespace PostTrain.Text.HuggingFace;

/// <summary>The suffix of a word's last token becomes a space, at the end nothing.</summary>
internal sealed class SuffixDecoder(string suffix) : TokenDecoder
{
    internal override List<string> Apply(List<string> tokens) =>
        suffix.Length == 0
            ? tokens
            : [.. tokens.Select((token, index) => token.Replace(suffix, index == tokens.Count - 1 ? "" : " ", StringComparison.Ordinal))];
}
