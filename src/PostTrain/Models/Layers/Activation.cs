namespace PostTrain.Models;

/// <summary>The nonlinearity between the two projections of a feed-forward layer.</summary>
public enum Activation
{
    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>x Φ(x), Φ the normal distribution function.</summary>
    Gelu,

    /// <summary>The tanh approximation of <see cref="Gelu"/>, Hugging Face's <c>gelu_new</c> and <c>gelu_pytorch_tanh</c>.</summary>
    GeluTanh,

    /// <summary>x σ(x), also called swish.</summary>
    Silu,

    /// <summary>x σ(1.702 x), an approximation of <see cref="Gelu"/>: CLIP's.</summary>
    QuickGelu,
}
