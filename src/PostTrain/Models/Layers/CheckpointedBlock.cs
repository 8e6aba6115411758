using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>
/// A layer that keeps its input instead of everything it computes, and computes it again in the backward pass (Chen et al. 2016,
/// arXiv:1604.06174): the memory of a layer's activations for one more forward pass through it.
/// </summary>
/// <remarks>
/// The second pass draws what the first one drew (dropout of adapters) and gives the same bits, so the gradients are the same too. It runs
/// a backward pass of its own inside the outer one, which adds the parameters' gradients to their <c>grad</c>, wherever
/// they are registered: use <c>backward</c>, not <c>autograd.grad</c>, with respect to parameters.
/// </remarks>
internal sealed class CheckpointedBlock : autograd.SingleTensorFunction<CheckpointedBlock>
{
    public override string Name => nameof(CheckpointedBlock);

    /// <summary>[B,T,D] to [B,T,D].</summary>
    public static Tensor Run(Block block, Tensor x, in AttentionInputs inputs)
    {
        using var scope = NewDisposeScope();
        if (block.BackwardFailure is { } failure)
        {
            block.BackwardFailure = null;
            throw new InvalidOperationException($"the last backward pass through a checkpointed layer failed: {failure.Message}", failure);
        }
        // The graph goes through this node also where the layer's input needs no gradient, as with frozen embeddings.
        var link = zeros([1], dtype: x.dtype, device: x.device).requires_grad_(true);
        return apply(x, link, block, inputs).MoveToOuterDisposeScope();
    }

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (x, block, inputs) = ((Tensor)vars[0], (Block)vars[2], (AttentionInputs)vars[3]);
        Tensor?[] shared = [inputs.Bias, inputs.Cosine, inputs.Sine];
        using var scope = NewDisposeScope();
        // Before the pass: what it draws follows from this.
        var random = get_rng_state();
        ctx.save_data("block", block);
        ctx.save_data("given", Array.ConvertAll(shared, tensor => tensor is not null));
        ctx.save_data("gradient", x.requires_grad);
        ctx.save_data("visible", inputs.Visible!);
        ctx.save_for_backward([x, random.MoveToOuterDisposeScope(), .. shared.OfType<Tensor>()]);
        return block.Apply(x, inputs).MoveToOuterDisposeScope();
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        using var scope = NewDisposeScope();
        var saved = ctx.get_saved_variables();
        var (block, needed) = ((Block)ctx.get_data("block"), (bool)ctx.get_data("gradient"));
        var shared = new Tensor?[3];
        var next = 2;
        foreach (var (given, i) in ((bool[])ctx.get_data("given")).Select((given, i) => (given, i)))
            shared[i] = given ? saved[next++] : null;

        var x = saved[0].detach().requires_grad_(needed);
        var after = get_rng_state();
        set_rng_state(saved[1]);
        try
        {
            using var mode = enable_grad();
            var y = block.Apply(x, new AttentionInputs(shared[0], shared[1], shared[2], null, null, (VisibleKeys?)ctx.get_data("visible")));
            if (y.requires_grad)
                autograd.backward([y], [grad_output]);
        }
        catch (Exception exception)
        {
            // An exception here would end the process. NaN stops the update; the next forward pass raises the exception.
            block.BackwardFailure = exception;
            return [needed ? full_like(saved[0], double.NaN).MoveToOuterDisposeScope() : null!, null!, null!, null!];
        }
        finally
        {
            set_rng_state(after);
        }

        return [needed ? x.grad!.MoveToOuterDisposeScope() : null!, null!, null!, null!];
    }
}
