using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Laws;

/// <summary>An input of a loss.</summary>
/// <param name="Value">The values; owned by the caller and not changed.</param>
/// <param name="Axes">The meaning of its leading dimensions.</param>
/// <param name="Differentiable">True if the laws also apply to the gradient with respect to it; float64 for finite differences.</param>
public sealed record LossTensor(Tensor Value, LossAxes Axes = LossAxes.Token, bool Differentiable = false)
{
    /// <summary>The value that the laws write where the mask does not count.</summary>
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
