using PostTrain.Numerics;

namespace PostTrain.Preference;

/// <summary>Losses without a reference: a score of each completion, a loss of the margin of scores, and a likelihood term.</summary>
/// <remarks>CPO, SimPO, AlphaPO and TPO are presets.</remarks>
public sealed record CpoObjective
{
    /// <summary>β above 0.</summary>
    /// <value>0.1 by default.</value>
    public double Beta { get; init; } = 0.1;

    /// <summary>The loss of the margin h = β(s_w − s_l) − γ.</summary>
    /// <value>Logistic by default.</value>
    public MarginLoss Loss { get; init; } = MarginLoss.Sigmoid();

    /// <summary>γ, the margin by which the chosen completion has to lead, at least 0.</summary>
    /// <value>0 by default.</value>
    public double TargetMargin { get; init; }

    /// <summary>Scores are of log π(y)/|y| instead of log π(y).</summary>
    /// <value>False by default.</value>
    public bool LengthNormalized { get; init; }

    /// <summary>α of AlphaPO: the score of a log-probability l is (1 − e^{−αl})/α; l itself for 0.</summary>
    /// <value>0 by default.</value>
    public double RewardShape { get; init; }

    /// <summary>Weight of the likelihood term, −Σ log π(y)/Σ|y| over the batch's chosen (in TPO: gold) completions, at least 0.</summary>
    /// <value>0 by default.</value>
    public double LikelihoodWeight { get; init; }

    /// <summary>CPO, Xu et al. 2024, arXiv:2401.08417: −log σ(β(log π(y_w) − log π(y_l))) + λ·NLL(y_w).</summary>
    /// <param name="beta">β; 0.1 by default.</param>
    /// <param name="likelihoodWeight">λ; 1 by default.</param>
    public static CpoObjective Cpo(double beta = 0.1, double likelihoodWeight = 1) =>
        new() { Beta = beta, LikelihoodWeight = likelihoodWeight };

    /// <summary>SimPO, Meng et al. 2024, arXiv:2405.14734, eq. 6: −log σ(β log π(y_w)/|y_w| − β log π(y_l)/|y_l| − γ).</summary>
    /// <param name="beta">β; 2 by default, the paper's 2 to 2.5.</param>
    /// <param name="targetMargin">γ; 1 by default, the paper's 0.3 to 1.6.</param>
    public static CpoObjective Simpo(double beta = 2, double targetMargin = 1) =>
        new()
        {
            Beta = beta,
            TargetMargin = targetMargin,
            LengthNormalized = true,
        };

    /// <summary>AlphaPO, arXiv:2501.03884: SimPO with the score (1 − p̄^{−α})/α of the mean probability p̄; SimPO for α → 0.</summary>
    /// <param name="alpha">α; 0.25 by default.</param>
    /// <param name="beta">β; 2.5 by default.</param>
    /// <param name="targetMargin">γ; 1 by default.</param>
    public static CpoObjective AlphaPo(double alpha = 0.25, double beta = 2.5, double targetMargin = 1) =>
        Simpo(beta, targetMargin) with
        {
            RewardShape = alpha,
        };

    /// <summary>TPO, arXiv:2405.16681: CPO's contrast with the likelihood of a third, gold completion.</summary>
    /// <param name="beta">β; 0.1 by default.</param>
    /// <param name="likelihoodWeight">Weight of the gold completions' NLL; 1 by default.</param>
    public static CpoObjective Tpo(double beta = 0.1, double likelihoodWeight = 1) => Cpo(beta, likelihoodWeight);

    /// <summary>TPO-L: TPO with lengths divided out and a target margin, as in SimPO.</summary>
    /// <param name="beta">β; 2 by default.</param>
    /// <param name="targetMargin">γ; 0.5 by default.</param>
    /// <param name="likelihoodWeight">Weight of the gold completions' NLL; 1 by default.</param>
    public static CpoObjective TpoL(double beta = 2, double targetMargin = 0.5, double likelihoodWeight = 1) =>
        Simpo(beta, targetMargin) with
        {
            LikelihoodWeight = likelihoodWeight,
        };

    /// <summary>Refuses values out of range.</summary>
    internal void Validate()
    {
        Guard.Positive(Beta, nameof(Beta));
        Guard.NotNegative(TargetMargin, nameof(TargetMargin));
        Guard.NotNegative(LikelihoodWeight, nameof(LikelihoodWeight));
        if (!double.IsFinite(RewardShape))
            throw new ArgumentOutOfRangeException(nameof(RewardShape), RewardShape, "RewardShape must be a finite number");
        ArgumentNullException.ThrowIfNull(Loss);
    }
}
