namespace PostTrain.Text.HuggingFace;

/// <summary>Applies several decoders in order.</summary>
internal sealed class DecoderSequence(TokenDecoder[] steps) : TokenDecoder
{
    internal override List<string> Apply(List<string> tokens) => steps.Aggregate(tokens, (current, step) => step.Apply(current));
}
