using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>Codes −127 to 127 with one scale a row: ŵ = code · absmax / 127.</summary>
/// <param name="Shape">The tensor's shape.</param>
/// <param name="Type">Type of the numbers that it stands for.</param>
/// <param name="Codes">[rows, columns], int8.</param>
/// <param name="Absmax">[rows], float32.</param>
/// <param name="OutlierColumns">Columns that were left out, whose codes are 0; from small to large.</param>
public sealed record Int8Quantized(
    IReadOnlyList<long> Shape,
    ScalarType Type,
    Tensor Codes,
    Tensor Absmax,
    IReadOnlyList<long> OutlierColumns
) : QuantizedTensor(Shape, Type)
{
    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, Tensor Tensor)> Parts => [("codes", Codes), ("absmax", Absmax)];

    /// <inheritdoc/>
    public override Tensor DequantizeRows(long first, long count)
    {
        CheckRows(first, count);
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var scale = Absmax.narrow(0, first, count).unsqueeze(1) / 127.0;
        return (Codes.narrow(0, first, count).to_type(ScalarType.Float32) * scale).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override void DequantizeRows(long first, Tensor destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        CheckRows(first, destination.size(0));
        if (Precision.IsHalf(destination.dtype))
        {
            base.DequantizeRows(first, destination);
            return;
        }

        using var mode = no_grad();
        using var scope = NewDisposeScope();
        destination.copy_(Codes.narrow(0, first, destination.size(0)));
        destination.mul_((Absmax.narrow(0, first, destination.size(0)) / 127.0).to_type(destination.dtype).unsqueeze(1));
    }

    /// <inheritdoc/>
    public override QuantizedTensor MoveTo(Device device) => this with { Codes = Moved(Codes, device), Absmax = Moved(Absmax, device) };
}
