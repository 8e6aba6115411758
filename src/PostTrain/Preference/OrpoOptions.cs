using PostTrain.Numerics;

namespace PostTrain.Preference;

/// <summary>Options of odds-ratio preference optimisation.</summary>
public sealed record OrpoOptions : PreferenceOptions
{
    /// <summary>λ, the weight of the odds-ratio term, above 0.</summary>
    /// <value>The default is 0.1.</value>
    public double Lambda { get; init; } = 0.1;

    /// <summary>Tokens of the likelihood term.</summary>
    /// <value>The default is <see cref="OrpoLikelihood.Completion"/>.</value>
    public OrpoLikelihood Likelihood { get; init; } = OrpoLikelihood.Completion;

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        Guard.Positive(Lambda, nameof(Lambda));
    }
}
