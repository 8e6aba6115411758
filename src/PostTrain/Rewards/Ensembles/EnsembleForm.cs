namespace PostTrain.Rewards;

/// <summary>The combination of several rewards into one; see <see cref="RewardEnsembles"/>.</summary>
public enum EnsembleForm
{
    /// <summary>Their mean.</summary>
    Mean,

    /// <summary>Their minimum.</summary>
    Minimum,

    /// <summary>mean − λ·variance.</summary>
    MeanMinusVariance,
}
