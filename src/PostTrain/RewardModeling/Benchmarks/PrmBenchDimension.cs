namespace PostTrain.RewardModeling.Benchmarks;

/// <summary>PRMBench's three groups of categories.</summary>
public enum PrmBenchDimension
{
    /// <summary><see cref="PrmBenchCategory.Redundancy"/> and <see cref="PrmBenchCategory.CircularLogic"/>.</summary>
    Simplicity,

    /// <summary><see cref="PrmBenchCategory.Counterfactual"/>, <see cref="PrmBenchCategory.StepContradiction"/>,
    /// <see cref="PrmBenchCategory.DomainInconsistency"/> and <see cref="PrmBenchCategory.Confidence"/>.</summary>
    Soundness,

    /// <summary><see cref="PrmBenchCategory.MissingCondition"/>, <see cref="PrmBenchCategory.Deception"/> and
    /// <see cref="PrmBenchCategory.MultipleSolutions"/>.</summary>
    Sensitivity,
}
