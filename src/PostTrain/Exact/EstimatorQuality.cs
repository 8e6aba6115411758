using PostTrain.Numerics;

namespace PostTrain.Exact;

/// <summary>Bias and variance of a gradient estimator over all groups that could be sampled.</summary>
/// <param name="Advantage">Name of the advantage estimator.</param>
/// <param name="Kl">Estimator of the KL divergence.</param>
/// <param name="Placement">Place of the KL term: reward or loss.</param>
/// <param name="Bias">‖E ĝ − g‖/‖g‖ with g = ∇(J − β·KL(π‖π_ref)); 0 for an unbiased estimator.</param>
/// <param name="Variance">E‖ĝ − E ĝ‖², summed over the parameters.</param>
public sealed record EstimatorQuality(string Advantage, KlEstimator Kl, KlPlacement Placement, double Bias, double Variance);
