using System.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary>Σ c·(−log π(target)) from hidden states and the output projection, by chunks of rows: each chunk's logits become their
/// gradient in place and the gradients of states and weight at once, so that nothing is projected twice and no logits are kept.</summary>
/// <remarks>Arguments: states [N,D], weight [V,D], targets [N], factors c [N], the results beside the graph, rows of a chunk. The graph
/// keeps the two gradients.</remarks>
internal sealed unsafe class LinearLossOperator : autograd.SingleTensorFunction<LinearLossOperator>
{
    /// <summary>Rows of a chunk.</summary>
    internal const int DefaultChunk = 256;

    public override string Name => nameof(LinearLossOperator);

    /// <summary>Losses −log π and hits (1 where the target is the most likely token), [N] each.</summary>
    internal sealed record Results(Tensor Losses, Tensor Hits);

    /// <summary>Returns true if <see cref="Run"/> accepts these tensors.</summary>
    internal static bool Takes(Tensor states, Tensor weight, Tensor targets) =>
        (Fused.Takes(states, weight) || TakesHalf(states, weight))
        && states.numel() > 0
        && targets.device_type == DeviceType.CPU
        && targets.dtype == ScalarType.Int64
        && targets.numel() > 0;

    /// <summary>The type of the losses: float32 for states in bfloat16, whose products are rounded and everything else is not.</summary>
    internal static ScalarType TypeOf(Tensor states) => states.dtype == ScalarType.BFloat16 ? ScalarType.Float32 : states.dtype;

    /// <summary>The loss, a scalar, with the rows' losses and hits.</summary>
    /// <param name="states">[N,D].</param>
    /// <param name="weight">[V,D].</param>
    /// <param name="targets">[N].</param>
    /// <param name="factors">c, [N], of the losses' type.</param>
    /// <param name="chunk">Rows of a chunk.</param>
    /// <exception cref="ArgumentException">A target is not in 0..V−1, or numbers of rows differ.</exception>
    internal static (Tensor Loss, Results Rows) Run(Tensor states, Tensor weight, Tensor targets, Tensor factors, int chunk = DefaultChunk)
    {
        using var scope = NewDisposeScope();
        var results = new Results(
            empty(states.size(0), dtype: TypeOf(states)).MoveToOuterDisposeScope(),
            empty(states.size(0), dtype: TypeOf(states)).MoveToOuterDisposeScope()
        );
        Check(targets, factors, states.size(0), weight.size(0));
        var loss = Fused.Records(states, weight)
            ? apply(states, weight, targets, factors, results, chunk)
            : Forward(states, weight, targets, factors, results, chunk, null, null);
        return (loss.MoveToOuterDisposeScope(), results);
    }

    /// <summary>The loss by tensor operators.</summary>
    internal static Tensor Reference(Tensor states, Tensor weight, Tensor targets, Tensor factors)
    {
        using var scope = NewDisposeScope();
        var logits = states.mm(weight.t()).to_type(TypeOf(states));
        return (LogProbOperator.Reference(logits, targets, null) * factors).sum().neg().MoveToOuterDisposeScope();
    }

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        using var scope = NewDisposeScope();
        var (states, weight, targets, factors) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor)vars[2], (Tensor)vars[3]);
        var ofStates = states.requires_grad ? empty(states.size(0), states.size(1), dtype: states.dtype) : null;
        // In the losses' type, so that its parts are not rounded one after the other.
        var ofWeight = weight.requires_grad ? zeros(weight.size(0), weight.size(1), dtype: TypeOf(states)) : null;
        var loss = Forward(states, weight, targets, factors, (Results)vars[4], (int)vars[5], ofStates, ofWeight);
        ctx.set_materialize_grads(false);
        ctx.save_for_backward([
            ofStates?.MoveToOuterDisposeScope()!,
            ofWeight?.to_type(weight.dtype).MoveToOuterDisposeScope()!,
            states,
            weight,
            targets,
            factors,
        ]);
        return loss.MoveToOuterDisposeScope();
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        if (grad_output is null || grad_output.IsInvalid)
            return [null!, null!, null!, null!, null!, null!];
        using var scope = NewDisposeScope();
        var saved = ctx.get_saved_variables();
        if (is_grad_enabled())
            return
            [
                .. Fused.WithGraph(grad_output, [saved[2], saved[3]], own => Reference(own[0]!, own[1]!, saved[4], saved[5])).Outward(),
                null!,
                null!,
                null!,
                null!,
            ];
        // Usually the loss is the end of the graph, and its gradient 1.
        var isOne = grad_output.ToDouble() == 1;
        Tensor? Scaled(Tensor? gradient) =>
            gradient is null || gradient.IsInvalid ? null
            : isOne ? gradient
            : gradient * grad_output;
        return Fused.Gradients(grad_output, Scaled(saved[0]), Scaled(saved[1]), null, null, null, null);
    }

    private static bool TakesHalf(Tensor states, Tensor weight) =>
        Fused.IsOn
        && states is { device_type: DeviceType.CPU, dtype: ScalarType.BFloat16 }
        && weight is { device_type: DeviceType.CPU, dtype: ScalarType.BFloat16 };

    private static Tensor Forward(
        Tensor states,
        Tensor weight,
        Tensor targets,
        Tensor factors,
        Results results,
        int chunk,
        Tensor? ofStates,
        Tensor? ofWeight
    )
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var count = states.size(0);
        var across = weight.t();
        bool isHalf = TypeOf(states) != states.dtype;
        double sum = 0;
        for (long start = 0; start < count; start += chunk)
        {
            using var part = NewDisposeScope();
            var length = Math.Min(chunk, count - start);
            var rows = states.narrow(0, start, length);
            var logits = (isHalf ? rows.mm(across) : TransposedProduct.Right(rows, weight)).to_type(TypeOf(states));
            var replaces = ofStates is not null || ofWeight is not null;
            sum +=
                logits.dtype == ScalarType.Float32
                    ? Rows<float>(logits, targets, factors, results, start, replaces)
                    : Rows<double>(logits, targets, factors, results, start, replaces);
            var gradient = logits.to_type(states.dtype);
            ofStates?.narrow(0, start, length).copy_(gradient.mm(weight));
            if (ofWeight is null)
                continue;
            if (isHalf)
                ofWeight.add_(gradient.t().mm(rows));
            else
                TransposedProduct.AddLeft(ofWeight, gradient, rows);
        }
        return tensor(sum, dtype: TypeOf(states)).MoveToOuterDisposeScope();
    }

    // The rows' losses and hits; the logits become c·(π − e_target) where asked for.
    private static double Rows<T>(Tensor logits, Tensor targets, Tensor factors, Results results, long start, bool replaces)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using var ids = new NumberSource<long>(targets);
        using var weights = new NumberSource<T>(factors);
        T* z = TensorMemory.Address<T>(logits),
            c = weights.Pointer + start,
            losses = TensorMemory.Address<T>(results.Losses) + start,
            hits = TensorMemory.Address<T>(results.Hits) + start;
        long* y = ids.Pointer + start;
        var width = (int)logits.size(1);
        var rows = logits.size(0);
        Workers.Run(
            rows,
            logits.numel() * 2,
            row =>
            {
                T* own = z + row * width;
                var score = LogProbRow.Forward(own, width, y[row], replaces ? own : null);
                losses[row] = T.CreateTruncating(-score.LogProb);
                hits[row] = score.IsHit ? T.One : T.Zero;
                if (!replaces)
                    return;
                SoftmaxRow.Scale(own, width, Scalars.Get(c + row) / score.Sum, 0);
                own[y[row]] -= c[row];
            }
        );
        double sum = 0;
        for (long row = 0; row < rows; row++)
            sum += Scalars.Get(losses + row) * Scalars.Get(c + row);
        return sum;
    }

    private static void Check(Tensor targets, Tensor factors, long rows, long vocabulary)
    {
        if (targets.numel() != rows || factors.numel() != rows)
            throw new ArgumentException($"targets has {targets.numel()} numbers and factors {factors.numel()}, expected {rows} as states");
        using var ids = new NumberSource<long>(targets);
        LogProbRow.CheckTargets<float>(ids.Pointer, targets.numel(), vocabulary, false, default);
    }
}
