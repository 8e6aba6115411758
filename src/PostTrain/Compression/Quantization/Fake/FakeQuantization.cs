using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>Numbers rounded as a quantiser would, in floating point, with gradients that go straight through the rounding (Bengio et al.
/// 2013, arXiv:1308.3432): training sees the error that quantisation will make.</summary>
public static class FakeQuantization
{
    /// <summary>round(x / scale) + zero, clamped to 0..2^bits − 1, back to numbers.</summary>
    /// <param name="x">Any shape.</param>
    /// <param name="scale">Above 0; its shape broadcasts over x. Constant.</param>
    /// <param name="zero">Zero points, of the scale's shape. Constant.</param>
    /// <param name="bits">Of the codes, 2 to 8.</param>
    /// <returns>The gradient is the identity where x is in the range of the codes, and 0 outside.</returns>
    public static Tensor Apply(Tensor x, Tensor scale, Tensor zero, int bits = 8)
    {
        Guard.Floating(x, nameof(x));
        ArgumentNullException.ThrowIfNull(scale);
        ArgumentNullException.ThrowIfNull(zero);
        if (bits is < 2 or > 8)
            throw new ArgumentOutOfRangeException(nameof(bits), bits, "bits must be from 2 to 8");
        using var scope = NewDisposeScope();
        var (step, point) = (scale.detach(), zero.detach());
        var inside = x.maximum(point.neg() * step).minimum(((1 << bits) - 1 - point) * step);
        var rounded = ((x.detach() / step).round() + point).clamp(0, (1 << bits) - 1).sub(point).mul(step);
        return (inside + (rounded - inside.detach())).MoveToOuterDisposeScope();
    }

    /// <summary>Each token's activations in whole numbers of 2 to 8 bits, with a scale of its own from its largest magnitude.</summary>
    /// <param name="x">[..., features].</param>
    /// <param name="bits">Of the codes, 2 to 8.</param>
    public static Tensor Tokens(Tensor x, int bits = 8)
    {
        Guard.Floating(x, nameof(x));
        if (bits is < 2 or > 8)
            throw new ArgumentOutOfRangeException(nameof(bits), bits, "bits must be from 2 to 8");
        using var scope = NewDisposeScope();
        var most = x.detach().abs().amax([-1L], true);
        var scale = most.masked_fill(most.eq(0), 1) / (double)((1 << (bits - 1)) - 1);
        return Apply(x, scale, full_like(scale, 1 << (bits - 1)), bits).MoveToOuterDisposeScope();
    }

    /// <summary>A weight as any quantiser gives it back; the gradient is the identity.</summary>
    /// <param name="weight">[out,in].</param>
    /// <param name="quantizer">One that needs no statistics.</param>
    public static Tensor Weight(Tensor weight, IQuantizer quantizer)
    {
        Guard.Floating(weight, nameof(weight));
        ArgumentNullException.ThrowIfNull(quantizer);
        using var scope = NewDisposeScope();
        Tensor change;
        using (no_grad())
        {
            using var quantized = quantizer.Checked(weight.detach(), null);
            change = quantized.Dequantize().to_type(weight.dtype) - weight.detach();
        }

        return (weight + change).MoveToOuterDisposeScope();
    }
}
