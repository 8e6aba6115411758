namespace PostTrain.Exact;

/// <summary>What the methods came to in one world, all from the same warm-up.</summary>
/// <param name="Warmup">The supervised warm-up itself.</param>
/// <param name="Supervised">Supervised fine-tuning on the same demonstrations, continued.</param>
/// <param name="SelfTraining">Supervised fine-tuning on the warmed-up policy's own right answers (offline self-training), every one weighed
/// with its probability: infinitely many samples.</param>
/// <param name="Reinforced">Reinforced fine-tuning: the policy gradient of being right, with a divergence from the warm-up.</param>
public sealed record StrategyOutcome(
    StrategyAccuracy Warmup,
    StrategyAccuracy Supervised,
    StrategyAccuracy SelfTraining,
    StrategyAccuracy Reinforced
);
