using PostTrain.Models;
using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>A frozen linear layer, y = x Ŵᵀ + b, that holds its weight [out,in] in codes and dequantises it by blocks into a buffer,
/// forward and backward. Adapters can be attached as to any linear layer: with LoRA that is QLoRA (Dettmers et al. 2023,
/// arXiv:2305.14314).</summary>
/// <remarks>The codes are neither parameters nor buffers: an optimiser, a checkpoint of a training run and <c>state_dict</c> do not see
/// them; what a checkpoint says of a frozen base covers them. Moving the module moves them; another type changes the type in which it
/// computes, not the codes. It owns the quantised tensor and disposes it.</remarks>
public sealed class QuantizedLinear : nn.Module<Tensor, Tensor>, IPackedWeight
{
    private readonly DequantizationBuffer buffer;
    private readonly Parameter? bias;

    /// <summary>A layer of its own.</summary>
    /// <param name="weight">Of shape [out,in]; owned by the layer from now on.</param>
    /// <param name="bias">[out], copied and frozen; null for none.</param>
    /// <exception cref="ArgumentException">The weight is no matrix, or the bias has another length than its rows.</exception>
    public QuantizedLinear(QuantizedTensor weight, Tensor? bias = null)
        : this(weight, bias, new DequantizationBuffer()) { }

    internal QuantizedLinear(QuantizedTensor weight, Tensor? bias, DequantizationBuffer buffer)
        : base(nameof(QuantizedLinear))
    {
        ArgumentNullException.ThrowIfNull(weight);
        if (weight.Shape.Count != 2 || weight.Count == 0)
            throw new ArgumentException($"weight has shape [{string.Join(", ", weight.Shape)}], expected [out, in]", nameof(weight));
        if (bias is not null && !bias.shape.SequenceEqual([weight.Rows]))
            throw new ArgumentException($"bias has shape {Guard.Shape(bias)}, expected [{weight.Rows}]", nameof(bias));
        (Weight, this.buffer) = (weight, buffer);
        if (bias is not null)
        {
            using var scope = NewDisposeScope();
            this.bias = (Parameter)new Parameter(bias.detach().clone(), requires_grad: false).DetachFromDisposeScope();
        }

        RegisterComponents();
    }

    /// <summary>The quantised weight. It belongs to the layer.</summary>
    public QuantizedTensor Weight { get; private set; }

    /// <summary>Inputs of the layer.</summary>
    public long Inputs => Weight.RowLength;

    /// <summary>Outputs of the layer.</summary>
    public long Outputs => Weight.Rows;

    ScalarType IPackedWeight.Type => Weight.Type;

    Device IPackedWeight.Device => Weight.Device;

    Parameter? IPackedWeight.Bias => bias;

    IReadOnlyList<(string Name, Tensor Tensor)> IPackedWeight.Parts => Weight.Parts;

    /// <summary>The weight's numbers, fresh, [out,in].</summary>
    public Tensor Dequantize() => Weight.Dequantize();

    /// <summary>[..., in] to [..., out] in the input's type.</summary>
    /// <exception cref="ArgumentException">The input's last dimension is another.</exception>
    public override Tensor forward(Tensor input)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (bias is null)
            return PackedProduct.Of(input, Weight, buffer);
        using var scope = NewDisposeScope();
        return (PackedProduct.Of(input, Weight, buffer) + bias).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    protected override nn.Module _to(Device device, ScalarType dtype, bool non_blocking)
    {
        Move(device, dtype);
        return base._to(device, dtype, non_blocking);
    }

    /// <inheritdoc/>
    protected override nn.Module _to(DeviceType deviceType, int deviceIndex, bool non_blocking)
    {
        Move(new Device(deviceType, deviceIndex), null);
        return base._to(deviceType, deviceIndex, non_blocking);
    }

    /// <inheritdoc/>
    protected override nn.Module _to(ScalarType dtype, bool non_blocking)
    {
        Move(null, dtype);
        return base._to(dtype, non_blocking);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            Weight.Dispose();
        base.Dispose(disposing);
    }

    private void Move(Device? device, ScalarType? type)
    {
        if (device is not null && !Devices.Same(device, Weight.Device))
        {
            var moved = Weight.MoveTo(device);
            Weight.Dispose();
            Weight = moved;
        }

        if (type is { } wanted && is_floating_point(wanted))
            Weight = Weight with { Type = wanted };
    }
}
