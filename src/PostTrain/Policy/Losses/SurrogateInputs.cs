using PostTrain.Numerics;
using PostTrain.Policy.Estimators;
using static TorchSharp.torch;

namespace PostTrain.Policy.Losses;

/// <summary>Inputs of a <see cref="PolicySurrogate"/>. Every tensor is [B,T] and 0 where nothing counts.</summary>
public sealed record SurrogateInputs
{
    // [B,T], or [B] for one a sequence, which counts once in terms of whole sequences.
    private readonly Tensor? correction;

    internal SurrogateInputs(Tensor logProbs, Tensor oldLogProbs, Tensor logRatio, Tensor advantages, Tensor mask, Tensor? correction)
    {
        (LogProbs, OldLogProbs, LogRatio, Advantages, Mask) = (logProbs, oldLogProbs, logRatio, advantages, mask);
        this.correction = correction;
    }

    /// <summary>log π of the taken tokens, with its gradient.</summary>
    public Tensor LogProbs { get; }

    /// <summary>log π_old, without a gradient.</summary>
    public Tensor OldLogProbs { get; }

    /// <summary>log ρ at the chosen <see cref="RatioLevel"/>, with its gradient.</summary>
    public Tensor LogRatio { get; }

    /// <summary>A, without a gradient.</summary>
    public Tensor Advantages { get; }

    /// <summary>Mask of the counted tokens, bool.</summary>
    public Tensor Mask { get; }

    /// <summary>log ρ for use in an exponent: within ±<see cref="KlDivergence.RatioBound"/>, without a gradient beyond.</summary>
    public Tensor Exponent => KlDivergence.Bounded(LogRatio);

    /// <summary>Weights that correct for the sampler, without a gradient; null if there are none. They multiply the losses after the
    /// surrogate.</summary>
    public Tensor? ImportanceWeights => correction is null ? null : PerToken(correction, Mask);

    /// <summary>The logarithm of the weights' product per sequence, [B]; null if there are none.</summary>
    internal Tensor? LogWeightProducts =>
        correction is null ? null
        : correction.dim() == 1 ? correction.log().masked_fill(Mask.any(1).logical_not(), 0)
        : Masked.Counted(correction.log(), Mask).sum(1L);

    /// <summary>Factors of the token losses, one per token or one per sequence, without their gradient.</summary>
    /// <exception cref="ArgumentException">The shape is neither [B,T] nor [B]; the message names both shapes.</exception>
    internal static Tensor Factors(Tensor values, string name, Tensor logProbs)
    {
        bool perSequence = values.dim() == 1 && values.shape[0] == logProbs.shape[0];
        if (!perSequence && !values.shape.AsSpan().SequenceEqual(logProbs.shape))
            throw new ArgumentException(
                $"{name} has shape {Guard.Shape(values)}, expected {Guard.Shape(logProbs)} as logProbs, or [{logProbs.shape[0]}]",
                name
            );
        return values.detach();
    }

    /// <summary>Factors per token, [B,T], 0 where nothing counts.</summary>
    internal static Tensor PerToken(Tensor factors, Tensor mask) =>
        Masked.Counted(factors.dim() == 1 ? factors.unsqueeze(1).expand_as(mask) : factors, mask);
}
