using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Losses.Surrogates;

/// <summary>−min(min(ρ, cap)·A, clip(ρ)·A).</summary>
internal sealed record ClipSurrogate(ClipRange Range, double? Cap) : PolicySurrogate
{
    internal override SurrogateTerms Evaluate(SurrogateInputs inputs)
    {
        var advantages = inputs.Advantages;
        // Each branch is ρA or, where its bound acts, a constant. Written as that choice, rounding inside the range cuts nothing.
        var logRatio = inputs.Exponent;
        var ratio = logRatio.detach().exp();
        var bound = ratio.clamp(1 - Range.Lower, 1 + Range.Upper);
        var isBound = (ratio > 1 + Range.Upper).logical_or(ratio < 1 - Range.Lower);
        var free = Cap is { } cap ? ratio.clamp_max(cap) : ratio;
        var takesBound = (bound * advantages < free * advantages).logical_or(advantages == 0);
        var cut = takesBound.logical_and(isBound);
        if (Cap is { } limit)
            cut = cut.logical_or(takesBound.logical_not().logical_and(ratio > limit));
        var constant = where(takesBound, bound, free);
        var losses = where(cut, constant, logRatio.masked_fill(cut, 0).exp()).mul(advantages).neg();
        return new SurrogateTerms(losses, cut.logical_and(advantages != 0));
    }
}
