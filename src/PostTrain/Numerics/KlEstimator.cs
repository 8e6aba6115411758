namespace PostTrain.Numerics;

/// <summary>An estimator of the KL divergence. <see cref="KlDivergence"/> gives the expected value and gradient of each.</summary>
public enum KlEstimator
{
    /// <summary>d = log π − log π_ref: unbiased, positive or negative.</summary>
    K1,

    /// <summary>d²/2: biased, never negative, with the gradient of KL(π‖π_ref).</summary>
    K2,

    /// <summary>e^{−d} − 1 + d: unbiased and never negative.</summary>
    K3,

    /// <summary>|d|: never negative and biased; only the bound Σ π|d| ≥ KL holds.</summary>
    Absolute,

    /// <summary>k3+: the value of k3 with the gradient of k2, so the value is unbiased and the gradient is that of KL(π‖π_ref).</summary>
    K3StraightThrough,

    /// <summary>k1+: the value of k1 with the gradient of k2, so value and gradient are those of KL(π‖π_ref).</summary>
    K1StraightThrough,
}
