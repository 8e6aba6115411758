using static TorchSharp.torch;

namespace PostTrain.Policy.Losses;

/// <summary>Losses of a <see cref="PolicySurrogate"/>.</summary>
/// <param name="Losses">Loss of each token, [B,T], with its gradient.</param>
/// <param name="Cut">Tokens at which the surrogate's bound acts, [B,T] bool, for the metric <c>clip_fraction</c>; null where there is no
/// bound.</param>
public sealed record SurrogateTerms(Tensor Losses, Tensor? Cut = null)
{
    /// <summary>Losses without a bound.</summary>
    public static implicit operator SurrogateTerms(Tensor losses) => new(losses);

    /// <summary>Losses without a bound.</summary>
    public static SurrogateTerms FromTensor(Tensor losses) => new(losses);
}
