using PostTrain.Exact;

namespace PostTrain.Samples.Support;

/// <summary>What the ways of refining a model came to, for one seed.</summary>
/// <param name="Accuracy">On held-out questions.</param>
/// <param name="Collected">Right answers of its own that self-training adds to the demonstrations.</param>
/// <param name="Stages">What was trained: the warm-up, then SFT, self-training and ReFT from it.</param>
public sealed record RefinementResult(StrategyOutcome Accuracy, int Collected, IReadOnlyList<RefinementStage> Stages);
