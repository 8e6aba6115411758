using static TorchSharp.torch;

namespace PostTrain.Exact;

/// <summary>The values of a policy on a token tree.</summary>
/// <param name="Values">V(s), the expected reward from each prefix on, [Nodes]; the first one is J.</param>
/// <param name="ActionValues">Q(s,a), the expected reward after each next token, [Nodes,V].</param>
/// <param name="Advantages">A(s,a) = Q(s,a) − V(s), [Nodes,V].</param>
public sealed record ExactValues(Tensor Values, Tensor ActionValues, Tensor Advantages);
