using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>Eight bits with one scale per row, and the product of two such matrices: LLM.int8 (Dettmers et al. 2022,
/// arXiv:2208.07339).</summary>
public static class Int8Quantization
{
    /// <summary>Quantises the rows of a matrix: code = round(x · 127 / absmax), half to even.</summary>
    /// <param name="tensor">[rows, columns], finite.</param>
    /// <param name="threshold">Above 0: magnitudes of at least it do not count for absmax, and the columns that have any get the code 0 in
    /// all rows. 0: there are no outliers.</param>
    /// <exception cref="ArgumentException">It is no matrix of finite numbers.</exception>
    public static Int8Quantized Rows(Tensor tensor, double threshold = 0)
    {
        QuantizedTensor.CheckInput(tensor, nameof(tensor));
        Guard.Rank(tensor, nameof(tensor), 2, "[rows, columns]");
        Guard.NotNegative(threshold, nameof(threshold));
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var x = tensor.detach().to_type(ScalarType.Float32);
        long[] columns = [];
        var counted = x;
        if (threshold > 0)
        {
            var outliers = x.abs().ge(threshold);
            counted = x.masked_fill(outliers, 0);
            columns = outliers.any(0).nonzero().reshape(-1).data<long>().ToArray();
        }

        var absmax = counted.abs().amax([1L]);
        var factor = absmax.reciprocal().mul(127).masked_fill(absmax.eq(0), 0);
        var codes = (counted * factor.unsqueeze(1)).round().to_type(ScalarType.Int8);
        if (columns.Length > 0)
            codes.index_fill_(1, torch.tensor(columns, device: codes.device), 0);
        return new Int8Quantized(
            tensor.shape,
            tensor.dtype,
            codes.contiguous().DetachFromDisposeScope(),
            absmax.DetachFromDisposeScope(),
            columns
        );
    }

    /// <summary>x Wᵀ + b in whole numbers: codes of x and W are multiplied exactly, then scaled by absmax_x · absmax_w / 127².</summary>
    /// <param name="input">[N, in].</param>
    /// <param name="weight">[out, in], quantised without a threshold.</param>
    /// <param name="bias">[out], or null.</param>
    /// <param name="threshold">Above 0: columns of the input with a magnitude of at least it are multiplied in full precision by the
    /// dequantised weight; LLM.int8 has 6.</param>
    /// <returns>[N, out] in the input's type.</returns>
    /// <remarks>bitsandbytes' constant for 1/127² is 1.8e-5 too large; here it is exact.</remarks>
    /// <exception cref="ArgumentException">Shapes do not agree.</exception>
    public static Tensor Linear(Tensor input, Int8Quantized weight, Tensor? bias = null, double threshold = 0)
    {
        Guard.Rank(input, nameof(input), 2, "[N, in]");
        ArgumentNullException.ThrowIfNull(weight);
        if (weight.Shape.Count != 2 || weight.Shape[1] != input.size(1))
            throw new ArgumentException(
                $"input has shape {Guard.Shape(input)}, expected [N, {weight.RowLength}] as the weight's rows",
                nameof(input)
            );
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        using var x = Rows(input, threshold);
        // Sums of up to 2⁴⁰ products are exact in float64.
        var whole = x.Codes.to_type(ScalarType.Float64).mm(weight.Codes.to_type(ScalarType.Float64).t());
        var scale = x.Absmax.to_type(ScalarType.Float64).unsqueeze(1) * weight.Absmax.to_type(ScalarType.Float64) / (127.0 * 127.0);
        var result = whole * scale;
        if (x.OutlierColumns.Count > 0)
        {
            var columns = tensor(x.OutlierColumns.ToArray(), device: input.device);
            var values = weight.DequantizeRows(0, weight.Rows).index_select(1, columns).to_type(ScalarType.Float64);
            result = result + input.detach().index_select(1, columns).to_type(ScalarType.Float64).mm(values.t());
        }

        if (bias is not null)
            result = result + bias.detach();
        return result.to_type(input.dtype).MoveToOuterDisposeScope();
    }
}
