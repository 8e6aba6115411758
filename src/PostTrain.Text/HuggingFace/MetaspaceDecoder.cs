namespace PostTrain.Text.HuggingFace;

/// <summary>Turns the visible space back into a space, and into nothing in the first token where one was put in front.</summary>
internal sealed class MetaspaceDecoder(char replacement, bool prepends) : TokenDecoder
{
    internal override List<string> Apply(List<string> tokens) =>
        [
            .. tokens.Select(
                (token, index) => token.Replace(replacement.ToString(), index == 0 && prepends ? "" : " ", StringComparison.Ordinal)
            ),
        ];
}
