using PostTrain.Numerics;

namespace PostTrain.RewardModeling.Losses;

/// <summary>What <see cref="RewardModelLosses"/>' pairwise loss adds to plain Bradley-Terry.</summary>
public sealed record BradleyTerryObjective
{
    /// <summary>λ of the centring term λ·(r_w + r_l)², which draws the rewards' free constant to 0.</summary>
    /// <value>At least 0; 0 (off) by default. Eisenstein et al. 2023, arXiv:2312.09244, use 0.01.</value>
    public double CenteringCoefficient { get; init; }

    /// <summary>ε: the probability that a label is the wrong way round; the loss is (1−ε)·ℓ(d) + ε·ℓ(−d).</summary>
    /// <value>Between 0 and ½ (not itself: no label would say anything); 0 by default. Only for labels that are given as chosen and
    /// rejected.</value>
    public double LabelSmoothing { get; init; }

    internal void Check()
    {
        Guard.NotNegative(CenteringCoefficient, nameof(CenteringCoefficient));
        if (!(LabelSmoothing is >= 0 and < 0.5))
            throw new ArgumentOutOfRangeException(
                nameof(LabelSmoothing),
                LabelSmoothing,
                $"{nameof(LabelSmoothing)} must be at least 0 and below 0.5"
            );
    }
}
