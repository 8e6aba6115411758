using System.Numerics;
using System.Runtime.CompilerServices;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary>log π(target) of rows of logits, and whether the target is the most likely token, without keeping a distribution.</summary>
/// <remarks>Arguments: logits [...,V], targets [...], mask [...] or null, whether the hits are wanted, where they go. Rows that do not
/// count are not read.
/// The graph keeps the logits and two numbers a row; the hits have no gradient.</remarks>
internal sealed unsafe class LogProbOperator : autograd.SingleTensorFunction<LogProbOperator>
{
    public override string Name => nameof(LogProbOperator);

    /// <summary>True if <see cref="Run"/> takes these, whose shapes agree.</summary>
    internal static bool Takes(Tensor logits, Tensor targets, Tensor? mask) =>
        Fused.Takes(logits)
        && logits.numel() > 0
        && targets.device_type == DeviceType.CPU
        && targets.dtype == ScalarType.Int64
        && (mask is null || mask.device_type == DeviceType.CPU);

    /// <summary>[...,V] to log-probs and hits, [...]; 0 where the mask is 0. Hits are null unless wanted.</summary>
    /// <exception cref="ArgumentException">A counted target is not in 0..V−1.</exception>
    internal static (Tensor LogProbs, Tensor? Hits) Run(Tensor logits, Tensor targets, Tensor? mask, bool hits)
    {
        using var scope = NewDisposeScope();
        if (Fused.Records(logits))
        {
            var place = new StrongBox<Tensor?>();
            var found = apply(logits, targets, mask!, hits, place);
            return (found.MoveToOuterDisposeScope(), place.Value?.MoveToOuterDisposeScope());
        }
        var (logProbs, correct) = Forward(logits, targets, mask, null, hits);
        return (logProbs.MoveToOuterDisposeScope(), correct?.MoveToOuterDisposeScope());
    }

    /// <summary>The log-probs by tensor operators.</summary>
    internal static Tensor Reference(Tensor logits, Tensor targets, Tensor? mask)
    {
        using var scope = NewDisposeScope();
        if (mask is null)
            return logits.log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1).MoveToOuterDisposeScope();
        var rows = mask.reshape(-1).nonzero().squeeze(-1);
        if (rows.size(0) == mask.numel())
            return Reference(logits, targets, null).MoveToOuterDisposeScope();
        // The softmax's own backward would multiply a NaN of an uncounted row by 0, so such rows must not enter it.
        var counted = Reference(logits.reshape(-1, logits.size(-1)).index_select(0, rows), targets.reshape(-1).index_select(0, rows), null);
        return logits.new_zeros(mask.numel()).index_copy(0, rows, counted).view(targets.shape).MoveToOuterDisposeScope();
    }

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        using var scope = NewDisposeScope();
        var (logits, targets, mask, hits) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor?)vars[2], (bool)vars[3]);
        var sums = empty(targets.numel(), 2, dtype: logits.dtype);
        var (logProbs, correct) = Forward(logits, targets, mask, sums, hits);
        ctx.set_materialize_grads(false);
        ctx.save_for_backward([logits, targets, mask!, sums.MoveToOuterDisposeScope()]);
        // Beside the graph: they have no gradient.
        ((StrongBox<Tensor?>)vars[4]).Value = correct?.MoveToOuterDisposeScope();
        return logProbs.MoveToOuterDisposeScope();
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        if (grad_output is null || grad_output.IsInvalid)
            return [null!, null!, null!, null!, null!];
        using var scope = NewDisposeScope();
        var saved = ctx.get_saved_variables();
        var (logits, targets, mask) = (saved[0], saved[1], saved[2] is { IsInvalid: false } given ? given : null);
        if (is_grad_enabled())
            return
            [
                .. Fused.WithGraph(grad_output, [logits], own => Reference(own[0]!, targets, mask)).Outward(),
                null!,
                null!,
                null!,
                null!,
            ];
        var gradient = empty(logits.shape, dtype: logits.dtype);
        if (logits.dtype == ScalarType.Float32)
            Backward<float>(logits, targets, mask, saved[3], grad_output, gradient);
        else
            Backward<double>(logits, targets, mask, saved[3], grad_output, gradient);
        return Fused.Gradients(grad_output, gradient, null, null, null, null);
    }

    private static (Tensor, Tensor?) Forward(Tensor logits, Tensor targets, Tensor? mask, Tensor? sums, bool hits)
    {
        var logProbs = TensorMemory.Fresh(targets, logits.dtype);
        var correct = hits ? TensorMemory.Fresh(targets, logits.dtype) : null;
        if (logits.dtype == ScalarType.Float32)
            Forward<float>(logits, targets, mask, logProbs, sums, correct);
        else
            Forward<double>(logits, targets, mask, logProbs, sums, correct);
        return (logProbs, correct);
    }

    private static void Forward<T>(Tensor logits, Tensor targets, Tensor? mask, Tensor logProbs, Tensor? sums, Tensor? correct)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using var numbers = new NumberSource<T>(logits);
        using var ids = new NumberSource<long>(targets);
        using var counts = new MaskSource<T>(mask);
        T* z = numbers.Pointer,
            l = TensorMemory.Address<T>(logProbs),
            s = sums is null ? null : TensorMemory.Address<T>(sums),
            h = correct is null ? null : TensorMemory.Address<T>(correct);
        long* y = ids.Pointer;
        var m = counts.Pointer;
        var masked = mask is not null;
        var width = (int)logits.size(-1);
        var rows = targets.numel();
        LogProbRow.CheckTargets(y, rows, width, masked, m);
        Workers.Run(
            rows,
            logits.numel() * 2,
            row =>
            {
                var score = masked && m.Get(row) == 0 ? default : LogProbRow.Forward(z + row * width, width, y[row]);
                l[row] = T.CreateTruncating(score.LogProb);
                if (s != null)
                    (s[2 * row], s[2 * row + 1]) = (T.CreateTruncating(score.Max), T.CreateTruncating(score.Sum));
                if (h != null)
                    h[row] = score.IsHit ? T.One : T.Zero;
            }
        );
    }

    private static void Backward<T>(Tensor logits, Tensor targets, Tensor? mask, Tensor sums, Tensor received, Tensor gradient)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using var numbers = new NumberSource<T>(logits);
        using var ids = new NumberSource<long>(targets);
        using var counts = new MaskSource<T>(mask);
        using var given = new NumberSource<T>(received);
        T* z = numbers.Pointer,
            s = TensorMemory.Address<T>(sums),
            g = given.Pointer,
            to = TensorMemory.Address<T>(gradient);
        long* y = ids.Pointer;
        var m = counts.Pointer;
        var masked = mask is not null;
        var width = (int)logits.size(-1);
        Workers.Run(
            targets.numel(),
            logits.numel() * 2,
            row =>
            {
                if (masked && m.Get(row) == 0)
                    new Span<T>(to + row * width, width).Clear();
                else
                    LogProbRow.Backward(z + row * width, width, y[row], s[2 * row], s[2 * row + 1], g[row], to + row * width);
            }
        );
    }
}
