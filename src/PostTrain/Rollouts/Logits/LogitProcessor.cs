using static TorchSharp.torch;

namespace PostTrain.Rollouts.Logits;

/// <summary>A step of one's own between the model and the draw: scores in, scores out.</summary>
/// <param name="scores">[B,V]; −∞ cannot be drawn. Do not change it.</param>
/// <param name="ids">What stands before the token to draw, prompt and completion so far, [B,L].</param>
/// <param name="mask">[B,L]; 0 at padding.</param>
/// <returns>A tensor [B,V] that belongs to the current dispose scope.</returns>
public delegate Tensor LogitProcessor(Tensor scores, Tensor ids, Tensor mask);
