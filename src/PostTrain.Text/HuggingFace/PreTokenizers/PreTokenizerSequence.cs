namespace PostTrain.Text.HuggingFace;

/// <summary>Applies several pre-tokenizers in order.</summary>
internal sealed class PreTokenizerSequence(PreTokenizer[] steps) : PreTokenizer
{
    internal override void Apply(PieceList pieces)
    {
        foreach (var step in steps)
            step.Apply(pieces);
    }
}
