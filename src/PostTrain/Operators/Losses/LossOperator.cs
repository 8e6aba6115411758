using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary>A loss that one pass over memory has computed with its gradients, as a node of the autograd graph; and a second node, the
/// losses of its elements.</summary>
/// <remarks>The backward pass multiplies the gradients by the loss's own. Where the graph asks for more, second derivatives or gradients
/// through the losses of the elements, the loss is computed again by tensor operators.</remarks>
internal sealed class LossOperator : autograd.SingleTensorFunction<LossOperator>
{
    public override string Name => nameof(LossOperator);

    /// <summary>Result of a pass, and the same by tensor operators.</summary>
    /// <param name="Value">The loss, or the losses of the elements.</param>
    /// <param name="Gradients">Of the loss; none for the losses.</param>
    /// <param name="Reference">The same by tensor operators.</param>
    private sealed record Found(Tensor Value, Tensor?[] Gradients, Func<Tensor?[], Tensor> Reference);

    /// <summary>The loss, a scalar of the losses' type, and the losses, with a graph where one is recorded through the inputs that have a
    /// gradient.</summary>
    /// <param name="loss">The loss.</param>
    /// <param name="losses">Of the elements, before they are divided.</param>
    /// <param name="gradients">d loss/d each of the first inputs; null where it does not depend on one.</param>
    /// <param name="inputs">All tensors that the reference takes, those with a gradient first; null where there is none.</param>
    /// <param name="reference">The loss of the inputs and the losses by tensor operators.</param>
    internal static (Tensor Loss, Tensor Losses) Run(
        double loss,
        Tensor losses,
        Tensor?[] gradients,
        Tensor?[] inputs,
        Func<Tensor?[], (Tensor Loss, Tensor Losses)> reference
    )
    {
        using var scope = NewDisposeScope();
        var value = tensor(loss, dtype: losses.dtype);
        if (!Fused.Records(inputs.AsSpan(0, gradients.Length)))
            return (value.MoveToOuterDisposeScope(), losses);
        // Two nodes: of one with two results the graph gives the unused one a gradient that is no tensor and cannot be disposed.
        var total = apply([new Found(value, gradients, own => reference(own).Loss), .. inputs]);
        return (total.MoveToOuterDisposeScope(), Elements(losses, inputs, own => reference(own).Losses).MoveToOuterDisposeScope());
    }

    /// <summary>The losses of the elements as a node whose backward pass computes them again.</summary>
    /// <param name="losses">Their values.</param>
    /// <param name="inputs">All tensors that the reference takes; null where there is none.</param>
    /// <param name="reference">The losses by tensor operators.</param>
    internal static Tensor Elements(Tensor losses, Tensor?[] inputs, Func<Tensor?[], Tensor> reference) =>
        Fused.Records(inputs) ? apply([new Found(losses, [], reference), .. inputs]) : losses;

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var found = (Found)vars[0];
        ctx.set_materialize_grads(false);
        ctx.save_for_backward([.. found.Gradients!, .. vars.Skip(1).Cast<Tensor>()]);
        ctx.save_data("gradients", found.Gradients.Length);
        ctx.save_data("reference", found.Reference);
        return found.Value;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        using var scope = NewDisposeScope();
        var saved = ctx.get_saved_variables();
        var known = (int)ctx.get_data("gradients");
        var results = new Tensor?[saved.Count - known + 1];
        if (grad_output is null || grad_output.IsInvalid)
            return [.. new Tensor[results.Length]];
        if (known > 0 && !is_grad_enabled())
        {
            // Usually the loss is the end of the graph, and its gradient 1.
            var isOne = grad_output.ToDouble() == 1;
            for (int i = 0; i < known; i++)
            {
                if (saved[i] is { IsInvalid: false } gradient)
                    results[i + 1] = isOne ? gradient : gradient * grad_output;
            }
            return Fused.Gradients(grad_output, results);
        }
        var reference = (Func<Tensor?[], Tensor>)ctx.get_data("reference");
        Tensor?[] inputs = [.. saved.Skip(known).Select(input => input is { IsInvalid: false } ? input : null)];
        if (is_grad_enabled())
            return [null!, .. Fused.WithGraph(grad_output, inputs, reference).Outward()];
        using (enable_grad())
        {
            var found = Fused.WithGraph(grad_output, inputs, reference);
            for (int i = 0; i < found.Count; i++)
                results[i + 1] = found[i]?.detach();
        }
        return Fused.Gradients(grad_output, results);
    }
}
