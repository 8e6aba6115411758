namespace PostTrain.Text.HuggingFace;

/// <summary>Applies several normalisers in order.</summary>
internal sealed class NormalizerSequence(Normalizer[] normalizers) : Normalizer
{
    internal override AlignedText Apply(AlignedText text) =>
        normalizers.Aggregate(text, (current, normalizer) => normalizer.Apply(current));
}
