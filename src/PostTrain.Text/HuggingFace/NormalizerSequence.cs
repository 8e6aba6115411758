namespace PostTrain.Text.HuggingFace;

/// <summary>Several normalisers, one after the other.</summary>
internal sealed class NormalizerSequence(Normalizer[] normalizers) : Normalizer
{
    internal override AlignedText Apply(AlignedText text) =>
        normalizers.Aggregate(text, (current, normalizer) => normalizer.Apply(current));
}
