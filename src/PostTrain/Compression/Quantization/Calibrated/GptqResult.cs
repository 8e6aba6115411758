namespace PostTrain.Compression.Quantization;

/// <summary>The result of GPTQ for a weight.</summary>
/// <param name="Weight">The quantised weight, its columns in the original order. It belongs to the caller.</param>
/// <param name="Loss">½ Σ (w − q)² / d², d the diagonal of the upper Cholesky factor of the Hessian's inverse: what the method counts as
/// the layer's error.</param>
/// <param name="Order">The order in which columns were taken.</param>
public sealed record GptqResult(IntegerQuantized Weight, double Loss, IReadOnlyList<int> Order);
