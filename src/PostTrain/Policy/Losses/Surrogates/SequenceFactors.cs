using PostTrain.Numerics;
using static TorchSharp.torch;

namespace PostTrain.Policy.Losses.Surrogates;

/// <summary>Factors of the tokens' losses, without a gradient: one a token, or one a sequence, which counts once wherever a sequence is
/// looked at as a whole.</summary>
/// <param name="Values">[B,T], or [B] for one a sequence.</param>
internal sealed record SequenceFactors(Tensor Values)
{
    /// <summary>Checks the shape against the log-probs'.</summary>
    /// <exception cref="ArgumentException">The shape is neither; the message names both.</exception>
    internal static SequenceFactors Of(Tensor values, string name, Tensor logProbs)
    {
        bool perSequence = values.dim() == 1 && values.shape[0] == logProbs.shape[0];
        if (!perSequence && !values.shape.AsSpan().SequenceEqual(logProbs.shape))
            throw new ArgumentException(
                $"{name} has shape {Guard.Shape(values)}, expected {Guard.Shape(logProbs)} as logProbs, or [{logProbs.shape[0]}]",
                name
            );
        return new SequenceFactors(values.detach());
    }

    /// <summary>[B,T], 0 where nothing counts.</summary>
    internal Tensor PerToken(Tensor mask) => Masked.Counted(Values.dim() == 1 ? Values.unsqueeze(1).expand_as(mask) : Values, mask);

    /// <summary>[B]: the logarithm of each sequence's factor, which is its tokens' product where there is one a token.</summary>
    internal Tensor LogProducts(Tensor mask) =>
        Values.dim() == 1 ? Values.log().masked_fill(mask.any(1).logical_not(), 0) : Masked.Counted(Values.log(), mask).sum(1L);
}
