using static TorchSharp.torch;

namespace PostTrain.Policy.Surrogates;

/// <summary>A surrogate's losses, [B,T], and the tokens at which its bound acts, [B,T] bool.</summary>
internal sealed record SurrogateTerms(Tensor Losses, Tensor Cut);
