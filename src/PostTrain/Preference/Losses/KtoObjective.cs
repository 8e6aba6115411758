using PostTrain.Numerics;

namespace PostTrain.Preference.Losses;

/// <summary>Constants of KTO.</summary>
public sealed record KtoObjective
{
    /// <summary>β, the steepness of the value function, above 0.</summary>
    /// <value>0.1 by default.</value>
    public double Beta { get; init; } = 0.1;

    /// <summary>λ_D, the weight of desirable completions, at least 0.</summary>
    /// <value>1 by default.</value>
    public double DesirableWeight { get; init; } = 1;

    /// <summary>λ_U, the weight of undesirable completions, at least 0.</summary>
    /// <value>1 by default. The paper keeps λ_D·n_D between 1 and 4/3 of λ_U·n_U where the two are unequally many.</value>
    public double UndesirableWeight { get; init; } = 1;

    /// <summary>Refuses values out of range.</summary>
    internal void Validate()
    {
        Guard.Positive(Beta, nameof(Beta));
        Guard.NotNegative(DesirableWeight, nameof(DesirableWeight));
        Guard.NotNegative(UndesirableWeight, nameof(UndesirableWeight));
    }
}
