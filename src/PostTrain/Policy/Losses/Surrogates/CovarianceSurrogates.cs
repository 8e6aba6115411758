using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Losses.Surrogates;

/// <summary>The tokens that lower the entropy most: by (A − Ā)(log π − mean log π) over the counted tokens of the batch.</summary>
internal static class Covariance
{
    internal static Tensor Of(SurrogateInputs inputs)
    {
        var logProbs = inputs.LogProbs.detach();
        return (inputs.Advantages - Masked.Mean(inputs.Advantages, inputs.Mask)) * (logProbs - Masked.Mean(logProbs, inputs.Mask));
    }

    // The largest share of all counted tokens, at least one, among the candidates.
    internal static Tensor Top(Tensor covariance, Tensor candidates, Tensor mask, double fraction)
    {
        long count = Math.Min(Math.Max(1, (long)(fraction * mask.sum().ToInt64())), candidates.sum().ToInt64());
        var chosen = zeros_like(covariance, dtype: ScalarType.Bool).reshape(-1);
        if (count == 0)
            return chosen.view_as(covariance);
        var places = covariance.masked_fill(candidates.logical_not(), double.NegativeInfinity).reshape(-1).topk((int)count).indexes;
        return chosen.index_fill_(0, places, 1).view_as(covariance);
    }
}

/// <summary>The clipped surrogate without the gradient of the chosen tokens.</summary>
internal sealed record ClipCovSurrogate(ClipRange Range, double Fraction, double Least, double Most) : PolicySurrogate
{
    internal override bool ComparesSequences => true;

    internal override SurrogateTerms Evaluate(SurrogateInputs inputs)
    {
        var terms = new ClipSurrogate(Range, null).Evaluate(inputs);
        var covariance = Covariance.Of(inputs);
        var candidates = (covariance > Least).logical_and(covariance < Most).logical_and(inputs.Mask).logical_and(terms.Cut!.logical_not());
        var chosen = Covariance.Top(covariance, candidates, inputs.Mask, Fraction);
        return new SurrogateTerms(terms.Losses.masked_fill(chosen, 0), terms.Cut!.logical_or(chosen));
    }
}

/// <summary>−ρA, and β·|log ρ| more at the chosen tokens.</summary>
internal sealed record KlCovSurrogate(double Fraction, double Beta) : PolicySurrogate
{
    internal override bool ComparesSequences => true;

    internal override SurrogateTerms Evaluate(SurrogateInputs inputs)
    {
        var chosen = Covariance.Top(Covariance.Of(inputs), inputs.Mask, inputs.Mask, Fraction);
        var losses = new RatioSurrogate().Evaluate(inputs).Losses + inputs.LogRatio.abs().mul(Beta).masked_fill(chosen.logical_not(), 0);
        return new SurrogateTerms(losses, chosen);
    }
}
