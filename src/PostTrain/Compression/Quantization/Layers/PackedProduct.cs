using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>x Wᵀ with a quantised W [out,in], dequantised some rows at a time into a buffer. The node keeps neither the dequantised weight
/// nor x: the gradient of x is that of y times W, and W has none.</summary>
internal sealed class PackedProduct : autograd.SingleTensorFunction<PackedProduct>
{
    // About 4 MB of float32: what one core's cache and its neighbours hold.
    private const long BlockElements = 1 << 20;

    public override string Name => nameof(PackedProduct);

    /// <summary>[..., in] to [..., out].</summary>
    public static Tensor Of(Tensor x, QuantizedTensor weight, DequantizationBuffer buffer)
    {
        // A product of shapes that do not fit would end the process.
        if (x.dim() == 0 || x.size(-1) != weight.RowLength)
            throw new ArgumentException(
                $"input has shape [{string.Join(", ", x.shape)}], expected [..., {weight.RowLength}] as the weight's rows",
                nameof(x)
            );
        return x.requires_grad && is_grad_enabled() ? apply(x, weight, buffer) : Forward(x, weight, buffer);
    }

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (x, weight, buffer) = ((Tensor)vars[0], (QuantizedTensor)vars[1], (DequantizationBuffer)vars[2]);
        ctx.set_materialize_grads(false);
        ctx.save_data("weight", weight);
        ctx.save_data("buffer", buffer);
        return Forward(x, weight, buffer);
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        if (grad_output is not { IsInvalid: false })
            return [null!, null!, null!];
        var (weight, buffer) = ((QuantizedTensor)ctx.get_data("weight"), (DequantizationBuffer)ctx.get_data("buffer"));
        using var scope = NewDisposeScope();
        var rows = grad_output.reshape(-1, weight.Rows);
        var result = Blocks(weight) == 1 ? null : zeros([rows.size(0), weight.RowLength], dtype: rows.dtype, device: rows.device);
        Each(
            weight,
            buffer,
            rows.dtype,
            (first, part) =>
            {
                using var inner = NewDisposeScope();
                var product = rows.narrow(1, first, part.size(0)).mm(part);
                if (result is null)
                    result = product.MoveToOuterDisposeScope();
                else
                    result.add_(product);
            }
        );
        return [result!.reshape([.. grad_output.shape[..^1], weight.RowLength]).MoveToOuterDisposeScope(), null!, null!];
    }

    private static Tensor Forward(Tensor x, QuantizedTensor weight, DequantizationBuffer buffer)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var rows = x.detach().reshape(-1, weight.RowLength);
        var result = Blocks(weight) == 1 ? null : empty([rows.size(0), weight.Rows], dtype: x.dtype, device: x.device);
        Each(
            weight,
            buffer,
            x.dtype,
            (first, part) =>
            {
                using var inner = NewDisposeScope();
                var product = rows.mm(part.t());
                if (result is null)
                    result = product.MoveToOuterDisposeScope();
                else
                    result.narrow(1, first, part.size(0)).copy_(product);
            }
        );
        return result!.reshape([.. x.shape[..^1], weight.Rows]).MoveToOuterDisposeScope();
    }

    private static long RowsOfBlock(QuantizedTensor weight) => Math.Clamp(BlockElements / weight.RowLength, 1, weight.Rows);

    private static long Blocks(QuantizedTensor weight) => (weight.Rows + RowsOfBlock(weight) - 1) / RowsOfBlock(weight);

    private static void Each(QuantizedTensor weight, DequantizationBuffer buffer, ScalarType type, Action<long, Tensor> use)
    {
        var step = RowsOfBlock(weight);
        buffer.With(
            step,
            weight.RowLength,
            type,
            weight.Device,
            memory =>
            {
                for (long first = 0; first < weight.Rows; first += step)
                {
                    using var part = memory.narrow(0, 0, Math.Min(step, weight.Rows - first));
                    weight.DequantizeRows(first, part);
                    use(first, part);
                }
            }
        );
    }
}
