using PostTrain.Exact;

namespace PostTrain.Samples.Support;

/// <summary>The result of the refinement methods for one seed.</summary>
/// <param name="Accuracy">Accuracy on held-out questions.</param>
/// <param name="Collected">Number of the model's own correct answers that self-training adds to the demonstrations.</param>
/// <param name="Stages">The trained stages: the warm-up, then SFT, self-training and ReFT from it.</param>
public sealed record RefinementResult(StrategyOutcome Accuracy, int Collected, IReadOnlyList<RefinementStage> Stages);
