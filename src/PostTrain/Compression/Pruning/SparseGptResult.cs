namespace PostTrain.Compression.Pruning;

/// <summary>What SparseGPT made of a weight.</summary>
/// <param name="Weight">The weight and its mask; they belong to the caller.</param>
/// <param name="Loss">½ Σ (w − q)² / d², d the diagonal of the upper Cholesky factor of the Hessian's inverse.</param>
public sealed record SparseGptResult(PrunedWeight Weight, double Loss);
