using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>Gradients with respect to chosen leaf tensors alone.</summary>
/// <remarks>
/// They come from <c>backward</c>, which throws where a graph is used up or shapes do not fit. <c>autograd.grad</c> of TorchSharp 0.107
/// ends the process there.
/// </remarks>
internal static class Gradients
{
    /// <summary>Computes d value/d leaf. The leaf's own <c>grad</c> and those of other tensors stay as they were.</summary>
    /// <param name="value">A scalar that depends on the leaf.</param>
    /// <param name="leaf">Made by the caller, with <c>requires_grad</c>.</param>
    /// <param name="retainGraph">Keep the graph for another pass.</param>
    /// <exception cref="InvalidOperationException">The value does not depend on the leaf.</exception>
    internal static Tensor Of(Tensor value, Tensor leaf, bool retainGraph = false)
    {
        var before = leaf.grad;
        leaf.grad = null;
        try
        {
            autograd.backward([value], retain_graph: retainGraph, inputs: [leaf]);
            return leaf.grad ?? throw new InvalidOperationException("value does not depend on leaf, expected a function of it");
        }
        finally
        {
            leaf.grad = before;
        }
    }
}
