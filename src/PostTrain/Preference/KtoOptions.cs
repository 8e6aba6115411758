using PostTrain.Preference.Losses;

namespace PostTrain.Preference;

/// <summary>Options of Kahneman-Tversky optimisation.</summary>
public sealed record KtoOptions : ReferenceOptions
{
    /// <inheritdoc cref="KtoObjective.Beta"/>
    public double Beta { get; init; } = 0.1;

    /// <inheritdoc cref="KtoObjective.DesirableWeight"/>
    public double DesirableWeight { get; init; } = 1;

    /// <inheritdoc cref="KtoObjective.UndesirableWeight"/>
    public double UndesirableWeight { get; init; } = 1;

    /// <summary>The loss that the options name.</summary>
    internal KtoObjective Objective =>
        new()
        {
            Beta = Beta,
            DesirableWeight = DesirableWeight,
            UndesirableWeight = UndesirableWeight,
        };

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        Objective.Validate();
        if (BatchSize < 2)
            throw new ArgumentOutOfRangeException(
                nameof(BatchSize),
                BatchSize,
                "BatchSize must be at least 2: the reference point pairs each prompt with another example's completion"
            );
    }
}
