using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>A matrix that was quantised with its columns multiplied by scales: ŵ = dequantised / scale, as AWQ and SmoothQuant store
/// it.</summary>
/// <param name="Inner">The scaled matrix.</param>
/// <param name="ColumnScales">[columns], float32, above 0.</param>
public sealed record ColumnScaledQuantized(QuantizedTensor Inner, Tensor ColumnScales) : QuantizedTensor(Inner.Shape, Inner.Type)
{
    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, Tensor Tensor)> Parts => [.. Inner.Parts, ("column_scales", ColumnScales)];

    /// <inheritdoc/>
    public override Tensor DequantizeRows(long first, long count)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        return (Inner.DequantizeRows(first, count) / ColumnScales).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override void DequantizeRows(long first, Tensor destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        using var mode = no_grad();
        Inner.DequantizeRows(first, destination);
        destination.div_(ColumnScales);
    }

    /// <inheritdoc/>
    public override QuantizedTensor MoveTo(Device device) => new ColumnScaledQuantized(Inner.MoveTo(device), Moved(ColumnScales, device));
}
