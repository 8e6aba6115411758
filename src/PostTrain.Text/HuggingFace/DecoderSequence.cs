namespace PostTrain.Text.HuggingFace;

/// <summary>Several decoders, one after the other.</summary>
internal sealed class DecoderSequence(TokenDecoder[] steps) : TokenDecoder
{
    internal override List<string> Apply(List<string> tokens) => steps.Aggregate(tokens, (current, step) => step.Apply(current));
}
