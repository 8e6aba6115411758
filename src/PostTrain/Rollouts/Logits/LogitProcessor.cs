using static TorchSharp.torch;

namespace PostTrain.Rollouts.Logits;

/// <summary>A custom step between the model and the sampling: maps scores to scores.</summary>
/// <param name="scores">[B,V]; −∞ excludes a token. Do not change it.</param>
/// <param name="ids">The context of the token to sample, prompt and completion so far, [B,L].</param>
/// <param name="mask">[B,L]; 0 at padding.</param>
/// <returns>A tensor [B,V] that belongs to the current dispose scope.</returns>
public delegate Tensor LogitProcessor(Tensor scores, Tensor ids, Tensor mask);
