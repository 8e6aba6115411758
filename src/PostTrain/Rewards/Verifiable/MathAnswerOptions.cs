namespace PostTrain.Rewards;

/// <summary>Options of <see cref="Reward.MathAnswer(MathAnswerOptions)"/>.</summary>
public sealed record MathAnswerOptions
{
    /// <summary>The name in the log. Default <c>correct</c>.</summary>
    public string Name { get; init; } = "correct";

    /// <summary>Places that can hold the answer. Default: any.</summary>
    public AnswerPlaces Places { get; init; } = AnswerPlaces.Any;

    /// <summary>Largest relative difference of two equal numbers, at least 0 and below 1. Default 1e-6.</summary>
    public double Tolerance { get; init; } = AnswerEquivalence.DefaultTolerance;

    /// <summary>True if <c>48+24</c> is accepted for 72. Default false: otherwise a policy learns to repeat the question; see <see
    /// cref="AnswerEquivalence.IsAnswer"/>.</summary>
    public bool AcceptsComputations { get; init; }

    /// <summary>Reward of the correct answer. Default 1.</summary>
    public double Right { get; init; } = 1;

    /// <summary>Reward of a wrong answer. Default 0.</summary>
    public double Wrong { get; init; }

    /// <summary>Reward if no answer is found. Default 0.</summary>
    public double Missing { get; init; }

    /// <summary>The values of Reinforced Fine-Tuning: 1 for a correct answer, 0.1 for a wrong one, 0 for none (Luong et al. 2024,
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
