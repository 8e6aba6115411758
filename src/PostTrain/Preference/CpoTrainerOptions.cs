namespace PostTrain.Preference;

/// <summary>Options of preference optimisation without a reference: CPO, SimPO, AlphaPO.</summary>
public sealed record CpoTrainerOptions : PreferenceTrainerOptions
{
    /// <summary>Which score, loss and likelihood weight: <see cref="CpoOptions.Cpo"/>, <see cref="CpoOptions.Simpo"/>,
    /// <see cref="CpoOptions.AlphaPo"/>.</summary>
    /// <value>The default is CPO with β = 0.1.</value>
    public CpoOptions Objective { get; init; } = CpoOptions.Cpo();

    /// <inheritdoc/>
    internal override void Validate()
    {
        base.Validate();
        Objective.Validate();
    }
}
