namespace PostTrain.Rewards;

/// <summary>How several rewards become one; see <see cref="RewardEnsembles"/>.</summary>
public enum EnsembleForm
{
    /// <summary>Their mean.</summary>
    Mean,

    /// <summary>The least of them.</summary>
    Minimum,

    /// <summary>mean − λ·variance.</summary>
    MeanMinusVariance,
}
