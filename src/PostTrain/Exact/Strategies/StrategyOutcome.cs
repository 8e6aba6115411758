namespace PostTrain.Exact;

/// <summary>The accuracies of all methods on one problem after the same warm-up.</summary>
/// <param name="Warmup">The supervised warm-up.</param>
/// <param name="Supervised">Supervised fine-tuning on the same demonstrations, continued.</param>
/// <param name="SelfTraining">Supervised fine-tuning on the warm-up policy's own correct answers (offline self-training), each weighted by
/// its probability, which corresponds to infinitely many samples.</param>
/// <param name="Reinforced">Reinforced fine-tuning: policy gradient of the probability of a correct answer, with KL divergence from the
/// warm-up policy.</param>
public sealed record StrategyOutcome(
    StrategyAccuracy Warmup,
    StrategyAccuracy Supervised,
    StrategyAccuracy SelfTraining,
    StrategyAccuracy Reinforced
);
