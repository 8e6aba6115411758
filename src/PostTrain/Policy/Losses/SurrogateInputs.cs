using PostTrain.Numerics;
using PostTrain.Policy.Estimators;
using PostTrain.Policy.Losses.Surrogates;
using static TorchSharp.torch;

namespace PostTrain.Policy.Losses;

/// <summary>Inputs of a <see cref="PolicySurrogate"/>. Every tensor is [B,T] and 0 where nothing counts.</summary>
public sealed record SurrogateInputs
{
    private readonly SequenceFactors? factors;

    internal SurrogateInputs(Tensor logProbs, Tensor oldLogProbs, Tensor logRatio, Tensor advantages, Tensor mask, SequenceFactors? factors)
    {
        (LogProbs, OldLogProbs, LogRatio, Advantages, Mask) = (logProbs, oldLogProbs, logRatio, advantages, mask);
        this.factors = factors;
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

    /// <summary>Weights that correct for the sampler, without a gradient; null where none were given. They multiply the losses after the
    /// surrogate.</summary>
    public Tensor? ImportanceWeights => factors?.PerToken(Mask);

    /// <summary>The weights' logarithms as one number a sequence, [B]; null where none were given.</summary>
    internal Tensor? LogWeightProducts => factors?.LogProducts(Mask);
}
