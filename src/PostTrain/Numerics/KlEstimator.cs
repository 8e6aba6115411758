namespace PostTrain.Numerics;

/// <summary>Which estimator of the KL divergence; see <see cref="KlDivergence"/> for what each one's value and gradient are in
/// expectation.</summary>
public enum KlEstimator
{
    /// <summary>d = log π − log π_ref: unbiased, of either sign.</summary>
    K1,

    /// <summary>d²/2: biased, never negative, with the gradient of KL(π‖π_ref).</summary>
    K2,

    /// <summary>e^{−d} − 1 + d: unbiased and never negative.</summary>
    K3,

    /// <summary>|d|: never negative and biased, of which only the bound Σ π|d| ≥ KL holds.</summary>
    Absolute,

    /// <summary>k3+: the value of k3 with the gradient of k2, so that the value is unbiased and the gradient is that of
    /// KL(π‖π_ref).</summary>
    K3StraightThrough,
}
