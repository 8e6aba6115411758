namespace PostTrain.Numerics;

/// <summary>Which estimator of the KL divergence; see <see cref="KlDivergence"/> for what each one's value and gradient are in expectation.</summary>
public enum KlEstimator
{
    /// <summary>d = log π − log π_ref: unbiased, of either sign.</summary>
    K1,

    /// <summary>d²/2: biased, never negative, with the gradient of KL(π‖π_ref).</summary>
    K2,

    /// <summary>e^{−d} − 1 + d: unbiased and never negative.</summary>
    K3,
}
