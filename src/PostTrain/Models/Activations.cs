using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>The activation functions by their configuration.</summary>
internal static class Activations
{
    private static readonly double Linear = 2 * Math.Sqrt(2 / Math.PI);

    public static Tensor Apply(Activation activation, Tensor x) =>
        activation switch
        {
            Activation.Relu => x.relu(),
            Activation.Gelu => x.gelu(),
            Activation.GeluTanh => GeluTanh(x),
            Activation.Silu => x.silu(),
            _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "The activation is not known."),
        };

    // x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))) = x σ(2√(2/π) (x + 0.044715 x³)): six operators instead of eight.
    private static Tensor GeluTanh(Tensor x)
    {
        using var scope = NewDisposeScope();
        return (x * (x * (x.square() * (Linear * 0.044715) + Linear)).sigmoid()).MoveToOuterDisposeScope();
    }
}
