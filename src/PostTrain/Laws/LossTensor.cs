using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Laws;

/// <summary>An input of a loss.</summary>
/// <param name="Value">The numbers; they stay with the caller and are not changed.</param>
/// <param name="Axes">What its leading dimensions stand for.</param>
/// <param name="Differentiable">Whether laws are to hold for the gradient with respect to it too; float64 where it is checked against
/// differences.</param>
public sealed record LossTensor(Tensor Value, LossAxes Axes = LossAxes.Token, bool Differentiable = false)
{
    /// <summary>What the laws put where the mask does not count.</summary>
    /// <value>The default is NaN for floating-point tensors, −100 for whole numbers and 0 for booleans.</value>
    public double? Filler { get; init; }

    internal double FillerOrDefault =>
        Filler
        ?? (
            Value.is_floating_point() ? double.NaN
            : Value.dtype == ScalarType.Bool ? 0
            : -100
        );
}
