using PostTrain.Numerics;

namespace PostTrain.Distillation;

/// <summary>How MiniLLM's advantages add up the rewards r_t = log p − log q of an answer's tokens.</summary>
/// <remarks>TRL's: <c>OwnReward</c> true, <c>DiscountFromStart</c> true, <c>UncountedWeight</c> 1e-4.</remarks>
public sealed record MiniLlmObjective
{
    /// <summary>γ: a reward i tokens later counts γ^i.</summary>
    /// <value>Between 0 and 1; 1 (the paper's) by default.</value>
    public double Gamma { get; init; } = 1;

    /// <summary>Divides the sum by the sum of its discounts: the mean of the rewards to come, R^Norm of the paper, so that short answers
    /// are not preferred.</summary>
    /// <value>True by default.</value>
    public bool LengthNormalization { get; init; } = true;

    /// <summary>Counts the token's own reward too, R_t in the place of R_{t+1}. With the exact single-step part beside it the token would
    /// count twice.</summary>
    /// <value>False by default.</value>
    public bool OwnReward { get; init; }

    /// <summary>Discounts from the answer's start, γ^i for reward i, and not from the token on, so that late tokens have small advantages.
    /// Of no effect with length normalisation, which cancels it, or with γ = 0.</summary>
    /// <value>False by default.</value>
    public bool DiscountFromStart { get; init; }

    /// <summary>With how much a position that does not count enters the length.</summary>
    /// <value>At least 0; 0 by default.</value>
    public double UncountedWeight { get; init; }

    internal void Check()
    {
        Guard.Fraction(Gamma, nameof(Gamma));
        Guard.NotNegative(UncountedWeight, nameof(UncountedWeight));
    }
}
