using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Kernels;

/// <summary>The node of the autograd graph that stands for any kernel: a scalar whose gradients are known already.</summary>
/// <remarks>Arguments: the value, then all inputs, then their gradients. The backward pass multiplies and does not throw.</remarks>
internal sealed class GivenGradient : autograd.SingleTensorFunction<GivenGradient>
{
    public override string Name => nameof(GivenGradient);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        int inputs = (vars.Length - 1) / 2;
        ctx.set_materialize_grads(false);
        ctx.save_for_backward([.. vars.Skip(1 + inputs).Cast<Tensor>()]);
        var first = (Tensor)vars[1];
        return tensor((double)vars[0], first.dtype, first.device);
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        using var scope = NewDisposeScope();
        var gradients = ctx.get_saved_variables();
        bool used = grad_output is { IsInvalid: false };
        var results = new List<Tensor> { null! };
        foreach (var gradient in gradients)
            results.Add(used ? (gradient * grad_output!).MoveToOuterDisposeScope() : null!);
        results.AddRange(new Tensor[gradients.Count]);
        return results;
    }
}
