using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Losses.Surrogates;

/// <summary>−ρA.</summary>
internal sealed record RatioSurrogate : PolicySurrogate
{
    internal override SurrogateTerms Evaluate(SurrogateInputs inputs) =>
        new(inputs.Exponent.exp().mul(inputs.Advantages).neg(), zeros_like(inputs.Advantages, dtype: ScalarType.Bool));
}

/// <summary>−(4/τ)·σ(τ(ρ − 1))·A.</summary>
internal sealed record SapoSurrogate(double Positive, double Negative) : PolicySurrogate
{
    internal override SurrogateTerms Evaluate(SurrogateInputs inputs)
    {
        var ratio = inputs.Exponent.exp();
        var temperature = where(inputs.Advantages > 0, full_like(inputs.Advantages, Positive), full_like(inputs.Advantages, Negative));
        var gate = ((ratio - 1) * temperature).sigmoid() * 4 / temperature;
        return new SurrogateTerms(gate.mul(inputs.Advantages).neg(), zeros_like(inputs.Advantages, dtype: ScalarType.Bool));
    }
}

/// <summary>−A·exp(mean_t of the log-ratios, each bounded on the side that A pushes to).</summary>
internal sealed record GmpoSurrogate(ClipRange Range) : PolicySurrogate
{
    internal override SurrogateTerms Evaluate(SurrogateInputs inputs)
    {
        var logRatio = inputs.Exponent;
        var (above, below) = (logRatio.detach() > Range.Upper, logRatio.detach() < -Range.Lower);
        var cut = above.logical_and(inputs.Advantages >= 0).logical_or(below.logical_and(inputs.Advantages <= 0)).logical_and(inputs.Mask);
        var bounded = where(cut, logRatio.detach().clamp(-Range.Lower, Range.Upper), logRatio);
        var mean = Masked.Mean(bounded, inputs.Mask, 1).unsqueeze(1).expand_as(logRatio);
        return new SurrogateTerms(mean.exp().mul(inputs.Advantages).neg(), cut.logical_and(inputs.Advantages != 0));
    }
}

/// <summary>−(A·log π − ½β(log π − log π_old)²).</summary>
internal sealed record DroSurrogate(double Beta) : PolicySurrogate
{
    internal override SurrogateTerms Evaluate(SurrogateInputs inputs) =>
        new(
            (inputs.LogProbs - inputs.OldLogProbs).square().mul(0.5 * Beta) - inputs.LogProbs.mul(inputs.Advantages),
            zeros_like(inputs.Advantages, dtype: ScalarType.Bool)
        );
}
