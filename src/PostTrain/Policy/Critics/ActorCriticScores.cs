using static TorchSharp.torch;

namespace PostTrain.Policy.Critics;

/// <summary>What policy and critic say of completions.</summary>
/// <param name="LogProbs">log π of each token, [B,T], 0 where nothing counts.</param>
/// <param name="Logits">[B,T,V], as in sampling.</param>
/// <param name="Values">V of the state before each token and of the one behind the last place, [B,T+1].</param>
internal sealed record ActorCriticScores(Tensor LogProbs, Tensor Logits, Tensor Values);
