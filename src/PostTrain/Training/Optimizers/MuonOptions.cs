using PostTrain.Numerics;

namespace PostTrain.Training.Optimizers;

/// <summary>Options of Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"), with the defaults of
/// <c>torch.optim.Muon</c> except for the scale of the rate.</summary>
public sealed record MuonOptions
{
    /// <summary>μ in b ← μb + (1 − μ)g, in [0, 1).</summary>
    /// <value>The default is 0.95.</value>
    public double Momentum { get; init; } = 0.95;

    /// <summary>True to step along (1 − μ)g + μb instead of b.</summary>
    /// <value>The default is true.</value>
    public bool Nesterov { get; init; } = true;

    /// <summary>Newton–Schulz iterations, 0 to 99.</summary>
    /// <value>The default is 5.</value>
    public int Iterations { get; init; } = 5;

    /// <summary>a, b and c of an iteration X ← aX + b(XXᵀ)X + c(XXᵀ)²X.</summary>
    /// <value>The default is (3.4445, −4.775, 2.0315).</value>
    public (double A, double B, double C) Coefficients { get; init; } = (3.4445, -4.775, 2.0315);

    /// <summary>Minimum norm by which a direction is divided, above 0.</summary>
    /// <value>The default is 1e-7.</value>
    public double Epsilon { get; init; } = 1e-7;

    /// <summary>The dependence of the rate on a matrix's shape.</summary>
    /// <value>The default is <see cref="MuonRate.MatchAdamW"/>: one learning rate suits both Muon's matrices and AdamW's other
    /// parameters.</value>
    public MuonRate Rate { get; init; } = MuonRate.MatchAdamW;

    /// <summary>Selects Muon's matrices by name; AdamW updates all other parameters. Null selects parameters with two dimensions whose
    /// names contain none of <c>embed</c>, <c>wte</c>, <c>wpe</c>, <c>head</c> and <c>score</c>, as Muon is meant for hidden
    /// layers.</summary>
    /// <value>The default is null.</value>
    public Func<string, bool>? Matrices { get; init; }

    internal bool Takes(string name) =>
        Matrices?.Invoke(name) ?? !Array.Exists(Outer, part => name.Contains(part, StringComparison.OrdinalIgnoreCase));

    internal void Validate()
    {
        if (!(Momentum is >= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(Momentum), Momentum, "Momentum must be at least 0 and below 1");
        if (Iterations is < 0 or > 99)
            throw new ArgumentOutOfRangeException(nameof(Iterations), Iterations, "Iterations must be between 0 and 99");
        if (!double.IsFinite(Coefficients.A + Coefficients.B + Coefficients.C))
            throw new ArgumentOutOfRangeException(nameof(Coefficients), Coefficients, "Coefficients must be finite numbers");
        Guard.Positive(Epsilon, nameof(Epsilon));
        if (!Enum.IsDefined(Rate))
            throw new ArgumentOutOfRangeException(nameof(Rate), Rate, "expected Original, MatchAdamW or AsGiven");
    }

    private static readonly string[] Outer = ["embed", "wte", "wpe", "head", "score"];
}
