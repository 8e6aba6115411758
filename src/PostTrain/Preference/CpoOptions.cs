namespace PostTrain.Preference;

/// <summary>Options of preference optimisation without a reference: CPO, SimPO, AlphaPO.</summary>
public sealed record CpoOptions : PreferenceOptions
{
    /// <summary>Score, loss and likelihood weight: <see cref="CpoObjective.Cpo"/>, <see cref="CpoObjective.Simpo"/>,
    /// <see cref="CpoObjective.AlphaPo"/>.</summary>
    /// <value>The default is CPO with β = 0.1.</value>
    public CpoObjective Objective { get; init; } = CpoObjective.Cpo();

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        Objective.Validate();
    }
}
