namespace PostTrain.Text.HuggingFace;

/// <summary>Joins continuations to the previous token and puts a space before every other token.</summary>
internal sealed class WordPieceDecoder(string prefix, bool cleans) : TokenDecoder
{
    internal override List<string> Apply(List<string> tokens) =>
        [
            .. tokens.Select(
                (token, index) =>
                {
                    if (index > 0)
                        token = token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token;
                    return cleans ? Spacing.CleanUp(token).Replace(" do not", " don't", StringComparison.Ordinal) : token;
                }
            ),
        ];
}
