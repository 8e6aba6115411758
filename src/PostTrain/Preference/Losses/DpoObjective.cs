using PostTrain.Numerics;

namespace PostTrain.Preference.Losses;

/// <summary>Objective of DPO's family: a link from log-ratios to scores, and a loss of the scores.</summary>
public sealed record DpoObjective
{
    /// <summary>β, the weight of the divergence from the reference, above 0.</summary>
    /// <value>0.1 by default.</value>
    public double Beta { get; init; } = 0.1;

    /// <summary>The loss of the scores.</summary>
    /// <value><see cref="MarginLoss.Sigmoid"/> by default.</value>
    public DpoLoss Loss { get; init; } = MarginLoss.Sigmoid();

    /// <summary>The divergence whose derivative makes scores of log-ratios.</summary>
    /// <value>Reverse KL by default.</value>
    public FDivergence Divergence { get; init; } = FDivergence.ReverseKl;

    /// <summary>λ of DPO-Positive (Smaug, arXiv:2402.13228): the chosen score falls by λ·max(0, −D_w), so that the chosen completion does
    /// not grow less likely than under the reference.</summary>
    /// <value>0 by default: plain DPO; the paper uses 50.</value>
    public double PositivePenalty { get; init; }

    /// <summary>Leaves the reference out of the loss, D = log π, while the reported rewards still subtract it where one is given.</summary>
    /// <value>False by default.</value>
    public bool ReferenceFree { get; init; }

    /// <summary>Refuses values out of range.</summary>
    internal void Validate()
    {
        Guard.Positive(Beta, nameof(Beta));
        Guard.NotNegative(PositivePenalty, nameof(PositivePenalty));
        ArgumentNullException.ThrowIfNull(Loss);
        ArgumentNullException.ThrowIfNull(Divergence);
    }

    /// <summary>Refuses to cut a batch whose pairs are compared with each other.</summary>
    internal void CheckParts(int? microBatchSize, string option)
    {
        if (microBatchSize is { } size && Loss.ComparesPairs)
            throw new ArgumentException(
                $"the loss compares the pairs of a whole batch with each other (AOT), which {option} = {size} cuts into parts; "
                    + $"expected {option} to be null",
                option
            );
    }
}
