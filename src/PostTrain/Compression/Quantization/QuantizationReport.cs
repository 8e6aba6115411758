namespace PostTrain.Compression.Quantization;

/// <summary>What quantising a model has changed.</summary>
/// <param name="Method">The quantiser's name.</param>
/// <param name="Layers">The layers in the model's order.</param>
public sealed record QuantizationReport(string Method, IReadOnlyList<QuantizedLayer> Layers)
{
    /// <summary>Bytes of the layers' weights before.</summary>
    public long BytesBefore => Layers.Sum(layer => layer.BytesBefore);

    /// <summary>Bytes of their codes and scales.</summary>
    public long BytesAfter => Layers.Sum(layer => layer.BytesAfter);

    /// <inheritdoc/>
    public override string ToString() =>
        FormattableString.Invariant(
            $"{Method}: {Layers.Count} layers, {BytesBefore} to {BytesAfter} bytes ({(double)BytesAfter / Math.Max(1, BytesBefore):P1})"
        );
}
