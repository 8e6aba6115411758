using PostTrain.Rollouts;
using static TorchSharp.torch;

namespace PostTrain.Distillation;

/// <summary>Inputs of an <see cref="OnPolicyObjective"/>: completions under student and teacher.</summary>
/// <param name="Student">With its gradient.</param>
/// <param name="Teacher">Without one.</param>
/// <param name="Tokens">[B,T].</param>
/// <param name="Mask">[B,T].</param>
/// <param name="OldLogProbs">The student's log-probs when the completions were drawn, [B,T]; null where they are its own now.</param>
public sealed record OnPolicyPart(CompletionScores Student, CompletionScores Teacher, Tensor Tokens, Tensor Mask, Tensor? OldLogProbs);
