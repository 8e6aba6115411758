namespace PostTrain.RewardModeling.Benchmarks;

/// <summary>PRMBench's nine kinds of faulty solutions, with their names in its files.</summary>
public enum PrmBenchCategory
{
    /// <summary>NR, non-redundancy (<c>redundency</c>): a step that is true and not needed.</summary>
    Redundancy,

    /// <summary>NCL, non-circular logic (<c>circular</c>): a step that derives again what it came from.</summary>
    CircularLogic,

    /// <summary>ES, empirical soundness (<c>counterfactual</c>): a step that states what is not so.</summary>
    Counterfactual,

    /// <summary>SC, step consistency (<c>step_contradiction</c>): a step that contradicts an earlier one.</summary>
    StepContradiction,

    /// <summary>DC, domain consistency (<c>domain_inconsistency</c>): a step with a rule of another domain.</summary>
    DomainInconsistency,

    /// <summary>CI, confidence invariance (<c>confidence</c>): a wrong step that is stated with confidence.</summary>
    Confidence,

    /// <summary>PS, prerequisite sensitivity (<c>missing_condition</c>): a step that uses what the question does not say.</summary>
    MissingCondition,

    /// <summary>DR, deception resistance (<c>deception</c>): a wrong step that looks right.</summary>
    Deception,

    /// <summary>MS, multi-solution consistency (<c>multi_solutions</c>): another right solution; no step is wrong.</summary>
    MultipleSolutions,
}
