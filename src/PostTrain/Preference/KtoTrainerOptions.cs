namespace PostTrain.Preference;

/// <summary>Options of Kahneman-Tversky optimisation.</summary>
public sealed record KtoTrainerOptions : ReferenceTrainerOptions
{
    /// <summary>β and the weights of desirable and undesirable completions.</summary>
    /// <value>The default is β = 0.1 and both weights 1.</value>
    public KtoOptions Objective { get; init; } = new();

    /// <inheritdoc/>
    internal override void Validate()
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
