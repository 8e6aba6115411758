namespace PostTrain.Rewards;

/// <summary>How <see cref="Reward.MathAnswer(MathAnswerOptions)"/> looks for answers and what it pays.</summary>
public sealed record MathAnswerOptions
{
    /// <summary>The name in the log. Default <c>correct</c>.</summary>
    public string Name { get; init; } = "correct";

    /// <summary>Where an answer may stand. Default: anywhere.</summary>
    public AnswerPlaces Places { get; init; } = AnswerPlaces.Any;

    /// <summary>The largest relative difference of two equal numbers, at least 0 and below 1. Default 1e-6.</summary>
    public double Tolerance { get; init; } = AnswerEquivalence.DefaultTolerance;

    /// <summary>Whether <c>48+24</c> is the answer 72. Default false: a policy would learn to repeat the question; see
    /// <see cref="AnswerEquivalence.IsAnswer"/>.</summary>
    public bool AcceptsComputations { get; init; }

    /// <summary>The reward of the right answer. Default 1.</summary>
    public double Right { get; init; } = 1;

    /// <summary>The reward of another answer. Default 0.</summary>
    public double Wrong { get; init; }

    /// <summary>The reward where no answer was found. Default 0.</summary>
    public double Missing { get; init; }

    /// <summary>The values of Reinforced Fine-Tuning: 1, 0.1 for an answer that is wrong, 0 for none (Luong et al. 2024,
    /// arXiv:2401.08967, section 3.2).</summary>
    public static MathAnswerOptions ReinforcedFineTuning { get; } = new() { Wrong = 0.1 };

    internal MathAnswerOptions Validated()
    {
        if (!(Tolerance is >= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(Tolerance), Tolerance, "Tolerance must be at least 0 and below 1");
        if (Places == AnswerPlaces.None || (Places & ~AnswerPlaces.Any) != 0)
            throw new ArgumentOutOfRangeException(nameof(Places), Places, "Places must name at least one place and only known ones");
        Finite(Right, nameof(Right));
        Finite(Wrong, nameof(Wrong));
        Finite(Missing, nameof(Missing));
        return this;
    }

    private static void Finite(double value, string name)
    {
        if (!double.IsFinite(value))
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be a finite number");
    }
}
