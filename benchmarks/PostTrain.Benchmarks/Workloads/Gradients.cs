using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Workloads;

/// <summary>The backward half of a call.</summary>
internal static class Gradients
{
    /// <summary>A call that computes a scalar and its gradients, in fresh tensors that it gives back.</summary>
    public static Action Of(Func<Tensor> loss, params Tensor[] inputs) =>
        () =>
        {
            using var scope = NewDisposeScope();
            autograd.grad([loss()], inputs);
        };

    /// <summary>Overload for an output whose own gradient is given.</summary>
    public static Action Given(Func<Tensor> output, Tensor gradient, params Tensor[] inputs) =>
        () =>
        {
            using var scope = NewDisposeScope();
            autograd.grad([output()], inputs, [gradient]);
        };
}
