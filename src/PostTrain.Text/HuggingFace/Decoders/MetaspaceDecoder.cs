namespace PostTrain.Text.HuggingFace;

/// <summary>Replaces the visible space by a space, and removes it from the first token if it was prepended.</summary>
internal sealed class MetaspaceDecoder(char replacement, bool prepends) : TokenDecoder
{
    internal override List<string> Apply(List<string> tokens) =>
        [
            .. tokens.Select(
                (token, index) => token.Replace(replacement.ToString(), index == 0 && prepends ? "" : " ", StringComparison.Ordinal)
            ),
        ];
}
