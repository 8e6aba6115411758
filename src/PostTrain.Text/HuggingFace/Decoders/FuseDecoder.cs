namespace PostTrain.Text.HuggingFace;

/// <summary>Joins all tokens into one.</summary>
internal sealed class FuseDecoder : TokenDecoder
{
    internal override List<string> Apply(List<string> tokens) => [string.Concat(tokens)];
}
