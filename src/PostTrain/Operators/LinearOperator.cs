using System.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary>A linear layer, x Wᵀ + b, with its gradients g W, gᵀ x and Σ g, by products of rows: each is a product of two matrices whose
/// rows lie in memory, one of them transposed before where it is not.</summary>
/// <remarks>Arguments: x [...,D], W [N,D], b [N] or null. It stands in for libtorch's product where that is slower: on AMD's processors,
/// where its MKL takes another path, and from a size on. A row's result does not depend on the rows beside it.</remarks>
internal sealed unsafe class LinearOperator : autograd.SingleTensorFunction<LinearOperator>
{
    // Rows and outputs of a part of a product.
    private const int PartRows = 96,
        PartOutputs = 128;

    // Smaller layers and fewer rows are left to libtorch, whose call costs less.
    private const long LeastRows = 128,
        LeastWidth = 192;

    public override string Name => nameof(LinearOperator);

    /// <summary>Whether <see cref="Run"/> takes these and is likely to be faster than libtorch.</summary>
    internal static bool Takes(Tensor x, Tensor weight, Tensor? bias) =>
        ProcessorFacts.IsAmd
        && weight.size(1) >= LeastWidth
        && weight.size(0) >= LeastWidth
        && x.numel() >= LeastRows * weight.size(1)
        && Fused.Takes(x, weight, bias)
        && weight.is_contiguous()
        && x.size(-1) == weight.size(1);

    /// <summary>[...,D] to [...,N].</summary>
    internal static Tensor Run(Tensor x, Tensor weight, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        return (Fused.Records(x, weight, bias) ? apply(x, weight, bias!) : Forward(x.contiguous(), weight, bias)).MoveToOuterDisposeScope();
    }

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        using var scope = NewDisposeScope();
        var (x, weight, bias) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor?)vars[2]);
        ctx.set_materialize_grads(false);
        ctx.save_for_backward(bias is null ? [x, weight] : [x, weight, bias]);
        ctx.save_data("gradients", (x.requires_grad, weight.requires_grad, bias?.requires_grad ?? false));
        return Forward(x.contiguous(), weight, bias).MoveToOuterDisposeScope();
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        if (grad_output is null || grad_output.IsInvalid)
            return [null!, null!, null!];
        using var scope = NewDisposeScope();
        var saved = ctx.get_saved_variables();
        var (ofInput, ofWeight, ofBias) = ((bool, bool, bool))ctx.get_data("gradients");
        var bias = saved.Count > 2 ? saved[2] : null;
        if (is_grad_enabled())
            return
            [
                .. Fused
                    .WithGraph(grad_output, [saved[0], saved[1], bias], own => nn.functional.linear(own[0]!, own[1]!, own[2]))
                    .Outward(),
            ];
        Tensor x = saved[0].contiguous(),
            weight = saved[1].contiguous(),
            g = grad_output.contiguous();
        var dx = ofInput ? empty_like(x) : null;
        var dw = ofWeight ? empty_like(weight) : null;
        if (x.dtype == ScalarType.Float32)
            Backward<float>(x, weight, g, dx, dw);
        else
            Backward<double>(x, weight, g, dx, dw);
        var db = ofBias ? g.view(-1, g.size(-1)).sum([0L]) : null;
        return Fused.Gradients(grad_output, dx, dw, db);
    }

    private static Tensor Forward(Tensor x, Tensor weight, Tensor? bias)
    {
        var shape = x.shape;
        shape[^1] = weight.size(0);
        var y = empty(shape, dtype: x.dtype);
        if (x.dtype == ScalarType.Float32)
            Forward<float>(x, weight, bias, y);
        else
            Forward<double>(x, weight, bias, y);
        return y;
    }

    private static void Forward<T>(Tensor x, Tensor weight, Tensor? bias, Tensor y)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using var shifts = new NumberSource<T>(bias);
        var (width, outputs) = ((int)weight.size(1), (int)weight.size(0));
        Product(
            (int)(x.numel() / width),
            outputs,
            width,
            TensorMemory.Address<T>(x),
            width,
            TensorMemory.Address<T>(weight),
            width,
            shifts.Pointer,
            TensorMemory.Address<T>(y)
        );
    }

    private static void Backward<T>(Tensor x, Tensor weight, Tensor g, Tensor? dx, Tensor? dw)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        int width = (int)weight.size(1),
            outputs = (int)weight.size(0),
            rows = (int)(x.numel() / width);
        T* given = TensorMemory.Address<T>(g);
        if (dx is not null)
        {
            int step = Step<T>(outputs);
            var across = empty(width, step, dtype: x.dtype);
            Transposition.Run(TensorMemory.Address<T>(weight), outputs, width, TensorMemory.Address<T>(across), step);
            Product(rows, width, outputs, given, outputs, TensorMemory.Address<T>(across), step, null, TensorMemory.Address<T>(dx));
        }
        if (dw is null)
            return;
        int line = Step<T>(rows);
        Tensor down = empty(outputs, line, dtype: x.dtype),
            inputs = empty(width, line, dtype: x.dtype);
        Transposition.Run(given, rows, outputs, TensorMemory.Address<T>(down), line);
        Transposition.Run(TensorMemory.Address<T>(x), rows, width, TensorMemory.Address<T>(inputs), line);
        Product(
            outputs,
            width,
            rows,
            TensorMemory.Address<T>(down),
            line,
            TensorMemory.Address<T>(inputs),
            line,
            null,
            TensorMemory.Address<T>(dw)
        );
    }

    // From row to row of a transpose: a step that is a power of two would put all rows into the same places of the cache.
    private static int Step<T>(int count)
        where T : unmanaged
    {
        int lanes = 64 / sizeof(T),
            lines = (count + lanes - 1) / lanes;
        return (lines + (lines % 2 == 0 ? 1 : 0)) * lanes;
    }

    // y = x wᵀ + b, the numbers of y side by side.
    private static void Product<T>(int rows, int outputs, int k, T* x, int xRow, T* w, int wRow, T* bias, T* y)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        long across = (outputs + PartOutputs - 1) / PartOutputs,
            down = (rows + PartRows - 1) / PartRows;
        Workers.Run(
            across * down,
            (long)rows * outputs * k,
            part =>
            {
                int row = (int)(part / across) * PartRows,
                    output = (int)(part % across) * PartOutputs,
                    height = Math.Min(PartRows, rows - row),
                    width = Math.Min(PartOutputs, outputs - output);
                T* to = y + (long)row * outputs + output;
                for (int i = 0; bias != null && i < height; i++)
                    RowProduct.Shift(to + (long)i * outputs, bias + output, width, add: false);
                RowProduct.Run(height, width, k, x + (long)row * xRow, xRow, w + (long)output * wRow, wRow, to, outputs, add: bias != null);
            }
        );
    }
}
