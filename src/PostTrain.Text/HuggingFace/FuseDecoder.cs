namespace PostTrain.Text.HuggingFace;

/// <summary>Joins the tokens to one.</summary>
internal sealed class FuseDecoder : TokenDecoder
{
    internal override List<string> Apply(List<string> tokens) => [string.Concat(tokens)];
}
