using PostTrain.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>The quantised rows of a token embedding, which may be the output projection too.</summary>
internal sealed class PackedTable(QuantizedTensor weight, DequantizationBuffer buffer) : IPackedTable
{
    private QuantizedTensor weight = weight;

    public long Rows => weight.Rows;

    public long Width => weight.RowLength;

    public ScalarType Type => weight.Type;

    public Device Device => weight.Device;

    public IReadOnlyList<(string Name, Tensor Tensor)> Parts => weight.Parts;

    public Tensor Dequantize() => weight.Dequantize();

    public Tensor Select(Tensor ids)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var (distinct, places, _) = ids.reshape(-1).unique(sorted: true, return_inverse: true);
        var wanted = distinct.cpu().data<long>().ToArray();
        if (wanted.Length > 0 && (wanted[0] < 0 || wanted[^1] >= Rows))
            throw new ArgumentException(
                $"ids holds {(wanted[0] < 0 ? wanted[0] : wanted[^1])}, expected ids from 0 to {Rows - 1}.",
                nameof(ids)
            );
        var values = empty([wanted.Length, Width], dtype: Type, device: Device);
        for (var start = 0; start < wanted.Length; )
        {
            // Rows that follow each other come at once.
            var end = start + 1;
            while (end < wanted.Length && wanted[end] == wanted[end - 1] + 1)
                end++;
            using var part = values.narrow(0, start, end - start);
            weight.DequantizeRows(wanted[start], part);
            start = end;
        }

        return values.index_select(0, places!.reshape(-1)).reshape([.. ids.shape, Width]).MoveToOuterDisposeScope();
    }

    public Tensor Project(Tensor hidden) => PackedProduct.Of(hidden, weight, buffer);

    public void Move(Device? device, ScalarType? type)
    {
        if (device is not null && !Devices.Same(device, weight.Device))
        {
            var moved = weight.MoveTo(device);
            weight.Dispose();
            weight = moved;
        }

        if (type is { } wanted && is_floating_point(wanted))
            weight = weight with { Type = wanted };
    }

    public void Dispose() => weight.Dispose();
}
