namespace PostTrain.Text.HuggingFace;

/// <summary>Replaces the suffix of a word's last token by a space, or by nothing at the end.</summary>
internal sealed class SuffixDecoder(string suffix) : TokenDecoder
{
    internal override List<string> Apply(List<string> tokens) =>
        suffix.Length == 0
            ? tokens
            : [.. tokens.Select((token, index) => token.Replace(suffix, index == tokens.Count - 1 ? "" : " ", StringComparison.Ordinal))];
}
