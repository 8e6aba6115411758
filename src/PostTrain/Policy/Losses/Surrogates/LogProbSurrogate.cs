using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Losses.Surrogates;

/// <summary>−w·A·log π with a detached weight w; the members below choose it.</summary>
internal abstract record LogProbSurrogate : PolicySurrogate
{
    internal sealed override SurrogateTerms Evaluate(SurrogateInputs inputs)
    {
        var (weight, cut) = Weight(inputs, inputs.Exponent.detach().exp());
        var signal = weight is null ? inputs.Advantages : inputs.Advantages * weight;
        return new SurrogateTerms(inputs.LogProbs.mul(signal).neg(), cut);
    }

    /// <summary>w (null for 1) and the tokens at which a bound acts (null for none).</summary>
    internal abstract (Tensor? Weight, Tensor? Cut) Weight(SurrogateInputs inputs, Tensor ratio);
}

/// <summary>w = 1.</summary>
internal sealed record PolicyGradientSurrogate : LogProbSurrogate
{
    internal override (Tensor? Weight, Tensor? Cut) Weight(SurrogateInputs inputs, Tensor ratio) => (null, null);
}

/// <summary>w = clamp(ρ, least, most).</summary>
internal sealed record CispoSurrogate(double Most, double Least) : LogProbSurrogate
{
    internal override (Tensor? Weight, Tensor? Cut) Weight(SurrogateInputs inputs, Tensor ratio) =>
        (ratio.clamp(Least, Most), (ratio > Most).logical_or(ratio < Least).logical_and(inputs.Advantages != 0));
}

/// <summary>w = e^λ·W^k·e^(−λW) of the whole sequence's ratio W, by the advantage's sign.</summary>
internal sealed record VespoSurrogate(VespoOptions Options) : LogProbSurrogate
{
    internal override bool UsesImportanceWeights => true;

    internal override (Tensor? Weight, Tensor? Cut) Weight(SurrogateInputs inputs, Tensor ratio)
    {
        var logRatio = (inputs.LogProbs.detach() - inputs.OldLogProbs).sum(1L);
        if (inputs.LogWeightProducts is { } products)
            logRatio += products;
        logRatio = logRatio.unsqueeze(1);
        var w = logRatio.exp();
        // In logarithms no clamp is needed: at both ends the weight goes to 0.
        var positive = logRatio * Options.PositiveShape - w * Options.PositiveRate + Options.PositiveRate;
        var negative = logRatio * Options.NegativeShape - w * Options.NegativeRate + Options.NegativeRate;
        return (where(inputs.Advantages >= 0, positive, negative).exp(), null);
    }
}

/// <summary>w = min(ρ, cap) where the probability is still within the trusted divergence or moves back, else 0.</summary>
internal sealed record DppoSurrogate(ClipRange Range, double Cap, bool Kl) : LogProbSurrogate
{
    internal override (Tensor? Weight, Tensor? Cut) Weight(SurrogateInputs inputs, Tensor ratio)
    {
        var (now, old) = (inputs.LogProbs.detach().exp(), inputs.OldLogProbs.exp());
        var away = now - old;
        Tensor tooHigh,
            tooLow;
        if (Kl)
        {
            var other = (1 - old).clamp_min(0);
            // Binary KL(old‖now); at now = 1 it is infinite unless old is 1 as well.
            var divergence =
                old * (inputs.OldLogProbs - inputs.LogProbs.detach())
                + (other * (other.log() - (1 - now).clamp_min(0).log())).masked_fill(other == 0, 0);
            (tooHigh, tooLow) = ((away > 0).logical_and(divergence > Range.Upper), (away < 0).logical_and(divergence > Range.Lower));
        }
        else
        {
            (tooHigh, tooLow) = (away > Range.Upper, away < -Range.Lower);
        }
        var cut = where(inputs.Advantages > 0, tooHigh, tooLow);
        return (ratio.clamp_max(Cap).masked_fill(cut, 0), cut.logical_and(inputs.Advantages != 0));
    }
}
