using PostTrain.Numerics;

namespace PostTrain.Exact;

/// <summary>How a gradient estimator behaves, over all groups that could have been drawn.</summary>
/// <param name="Advantage">Name of the advantage estimator.</param>
/// <param name="Kl">How the divergence is estimated.</param>
/// <param name="Placement">Where it is charged.</param>
/// <param name="Bias">‖E ĝ − g‖/‖g‖ with g = ∇(J − β·KL(π‖π_ref)); 0 for an unbiased estimator.</param>
/// <param name="Variance">E‖ĝ − E ĝ‖², summed over the parameters.</param>
public sealed record EstimatorQuality(string Advantage, KlEstimator Kl, KlPlacement Placement, double Bias, double Variance);
