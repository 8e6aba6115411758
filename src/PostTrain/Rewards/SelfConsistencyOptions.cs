namespace PostTrain.Rewards;

/// <summary>How <see cref="Reward.SelfConsistency"/> compares the answers of a group.</summary>
public sealed record SelfConsistencyOptions
{
    /// <summary>The name in the log. Default <c>self_consistency</c>.</summary>
    public string Name { get; init; } = "self_consistency";

    /// <summary>Default <see cref="SelfConsistencyForm.LeaveOneOut"/>.</summary>
    public SelfConsistencyForm Form { get; init; } = SelfConsistencyForm.LeaveOneOut;

    /// <summary>Where an answer may stand. Default: anywhere.</summary>
    public AnswerPlaces Places { get; init; } = AnswerPlaces.Any;

    /// <summary>The tolerance of <see cref="AnswerEquivalence"/>. Default 1e-6.</summary>
    public double Tolerance { get; init; } = AnswerEquivalence.DefaultTolerance;

    /// <summary>The weight of each completion's vote, for example a process reward model's score; 1 each when null. Finite, at least
    /// 0.</summary>
    public Func<Completion, double>? Weight { get; init; }
}
