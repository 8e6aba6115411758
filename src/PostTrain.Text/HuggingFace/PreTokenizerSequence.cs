namespace PostTrain.Text.HuggingFace;

/// <summary>Several pre-tokenizers, one after the other.</summary>
internal sealed class PreTokenizerSequence(PreTokenizer[] steps) : PreTokenizer
{
    internal override void Apply(PieceList pieces)
    {
        foreach (var step in steps)
            step.Apply(pieces);
    }
}
