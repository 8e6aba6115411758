using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>A quantised weight and the factors that make up for its error: Ŵ + BA ≈ W.</summary>
/// <param name="Weight">Ŵ; it belongs to the caller.</param>
/// <param name="A">[r,in]; it belongs to the caller.</param>
/// <param name="B">[out,r]; it belongs to the caller.</param>
/// <param name="Error">‖W − Ŵ − BA‖ in Frobenius' norm.</param>
public sealed record LoftqStart(QuantizedTensor Weight, Tensor A, Tensor B, double Error);
