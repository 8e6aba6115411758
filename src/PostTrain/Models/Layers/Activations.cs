using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>The activation functions by their configuration.</summary>
internal static class Activations
{
    public static Tensor Apply(Activation activation, Tensor x) =>
        activation switch
        {
            Activation.Relu => x.relu(),
            Activation.Gelu => x.gelu(),
            Activation.GeluTanh => GateOperator.GeluTanh(x),
            Activation.Silu => x.silu(),
            Activation.QuickGelu => QuickGelu(x),
            _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "The activation is not known."),
        };

    /// <summary>f(x) · factor.</summary>
    /// <param name="activation">f.</param>
    /// <param name="x">The gate.</param>
    /// <param name="factor">Of the same shape; null for f(x) alone.</param>
    public static Tensor Gate(Activation activation, Tensor x, Tensor? factor)
    {
        if (IsFused(activation) && GateOperator.Takes(x, factor))
            return GateOperator.Run(x, factor, new GateKind(activation == Activation.GeluTanh, Joint: false));
        using var scope = NewDisposeScope();
        var activated = Apply(activation, x);
        return (factor is null ? activated : activated * factor).MoveToOuterDisposeScope();
    }

    /// <summary>f(x) · factor of a tensor that has both as its halves, [...,2 D] to [...,D].</summary>
    public static Tensor GateOfHalves(Activation activation, Tensor both)
    {
        if (IsFused(activation) && GateOperator.Takes(both, null))
            return GateOperator.Run(both, null, new GateKind(activation == Activation.GeluTanh, Joint: true));
        using var scope = NewDisposeScope();
        var halves = both.chunk(2, -1);
        return (Apply(activation, halves[0]) * halves[1]).MoveToOuterDisposeScope();
    }

    private static Tensor QuickGelu(Tensor x)
    {
        using var scope = NewDisposeScope();
        return (x * (x * 1.702).sigmoid()).MoveToOuterDisposeScope();
    }

    // The others are one operator of libtorch each way.
    private static bool IsFused(Activation activation) => activation is Activation.GeluTanh or Activation.Silu;
}
