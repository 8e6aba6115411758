using PostTrain.Operators;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>Calls of linear layers.</summary>
internal static class Products
{
    /// <summary>The layer's result: by <see cref="LinearOperator"/> where it is a plain layer without hooks for which that is faster, else
    /// by a call.</summary>
    public static Tensor Of(nn.Module<Tensor, Tensor> layer, Tensor x) =>
        layer is Linear { weight: { } weight } linear
        && LinearOperator.Takes(x, weight, linear.bias)
        && ForwardHooks.Of(layer) is { Any: false }
            ? LinearOperator.Run(x, weight, linear.bias)
            : layer.call(x);
}
