using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>Gradients with respect to selected leaf tensors only.</summary>
/// <remarks>
/// Computed by <c>backward</c>, which throws if a graph is used up or shapes do not fit. <c>autograd.grad</c> of TorchSharp 0.107 ends the
/// process in these cases.
/// </remarks>
internal static class Gradients
{
    /// <summary>Computes d value/d leaf. The <c>grad</c> of the leaf and of other tensors is unchanged.</summary>
    /// <param name="value">A scalar that depends on the leaf.</param>
    /// <param name="leaf">A tensor of the caller with <c>requires_grad</c>.</param>
    /// <param name="retainGraph">True keeps the graph for another pass.</param>
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
