namespace PostTrain.Rewards;

/// <summary>Options of <see cref="Reward.SelfConsistency"/>.</summary>
public sealed record SelfConsistencyOptions
{
    /// <summary>The name in the log. Default <c>self_consistency</c>.</summary>
    public string Name { get; init; } = "self_consistency";

    /// <summary>The formula. Default <see cref="SelfConsistencyForm.LeaveOneOut"/>.</summary>
    public SelfConsistencyForm Form { get; init; } = SelfConsistencyForm.LeaveOneOut;

    /// <summary>Places that can hold the answer. Default: any.</summary>
    public AnswerPlaces Places { get; init; } = AnswerPlaces.Any;

    /// <summary>The tolerance of <see cref="AnswerEquivalence"/>. Default 1e-6.</summary>
    public double Tolerance { get; init; } = AnswerEquivalence.DefaultTolerance;

    /// <summary>Weight of each completion's vote, for example a process reward model's score; null means 1 each. Finite, at least
    /// 0.</summary>
    public Func<Completion, double>? Weight { get; init; }
}
