using static TorchSharp.torch;

namespace PostTrain.Exact;

/// <summary>The policy that maximises E[r] − β·KL(π‖π_ref).</summary>
/// <param name="Logits">The policy, [Nodes,V]; softmax of a row is π*(·|prefix).</param>
/// <param name="LogProbs">log π*(y) = log π_ref(y) + r(y)/β − log Z of every sequence, [V^D].</param>
/// <param name="Value">β·log Z, the maximum; a scalar.</param>
public sealed record RlhfOptimum(Tensor Logits, Tensor LogProbs, Tensor Value);
