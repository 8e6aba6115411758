using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Kernels;

/// <summary>The autograd node of <see cref="LogProbKernels.Attached"/>: the forward pass keeps the logits, the backward pass makes the
/// softmax again.</summary>
/// <remarks>Arguments: logits, targets, and the mask or null; checked by the caller.</remarks>
internal sealed class TokenGather : autograd.SingleTensorFunction<TokenGather>
{
    public override string Name => nameof(TokenGather);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (logits, targets, mask) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor?)vars[2]);
        ctx.set_materialize_grads(false);
        ctx.save_for_backward(mask is null ? [logits, targets] : [logits, targets, mask]);
        var scores = LogProbKernels.Gather(logits, targets, mask);
        scores.LogPartitions.Dispose();
        return scores.LogProbs;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        if (grad_output is null || grad_output.IsInvalid)
            return [null!, null!, null!];
        using var scope = NewDisposeScope();
        var saved = ctx.get_saved_variables();
        var (_, gradient) = LogProbKernels.GatherWithGradient(saved[0], saved[1], grad_output, null, saved.Count > 2 ? saved[2] : null);
        return [gradient.MoveToOuterDisposeScope(), null!, null!];
    }
}
