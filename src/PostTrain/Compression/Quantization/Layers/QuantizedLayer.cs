namespace PostTrain.Compression.Quantization;

/// <summary>A layer of a report.</summary>
/// <param name="Name">The layer.</param>
/// <param name="BytesBefore">Bytes of its weight before.</param>
/// <param name="BytesAfter">Bytes of codes and scales.</param>
/// <param name="RelativeError">‖W − Ŵ‖ / ‖W‖ in Frobenius' norm; 0 for a weight of zeros.</param>
public sealed record QuantizedLayer(string Name, long BytesBefore, long BytesAfter, double RelativeError);
