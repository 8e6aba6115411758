using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary>A scalar whose gradients are known, as a node of the autograd graph.</summary>
/// <remarks>Arguments: the value, then all inputs, then their gradients, null where there is none. The backward pass multiplies and does
/// not throw; there are no second derivatives.</remarks>
internal sealed class GivenGradient : autograd.SingleTensorFunction<GivenGradient>
{
    public override string Name => nameof(GivenGradient);

    /// <summary>The scalar of the first input's type.</summary>
    internal static Tensor Attach(double value, params (Tensor Input, Tensor? Gradient)[] parts)
    {
        using var scope = NewDisposeScope();
        object[] arguments = [value, .. parts.Select(part => part.Input), .. parts.Select(part => part.Gradient?.detach()!)];
        return apply(arguments).MoveToOuterDisposeScope();
    }

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
        var results = new Tensor?[1 + 2 * gradients.Count];
        if (grad_output is null || grad_output.IsInvalid)
            return [.. new Tensor[results.Length]];
        // Usually the loss is the end of the graph, and its gradient 1.
        bool isOne = grad_output.ToDouble() == 1;
        for (int i = 0; i < gradients.Count; i++)
        {
            if (gradients[i] is { IsInvalid: false } gradient)
                results[i + 1] = isOne ? gradient : gradient * grad_output;
        }
        return Fused.Gradients(grad_output, results);
    }
}
