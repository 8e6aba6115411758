using PostTrain.Numerics;

namespace PostTrain.Policy.Estimators;

/// <summary>Options of <see cref="Advantages.VTrace"/>.</summary>
public sealed record VTraceOptions
{
    /// <summary>Discount γ, 0 to 1.</summary>
    /// <value>The default is 1.</value>
    public double Gamma { get; init; } = 1;

    /// <summary>λ, 0 to 1: further shortens the traces.</summary>
    /// <value>The default is 1, as in the paper.</value>
    public double Lambda { get; init; } = 1;

    /// <summary>ρ̄, above 0: the cap of the ratio in the temporal differences; decides which policy's value is learnt.</summary>
    /// <value>The default is 1.</value>
    public double RhoBar { get; init; } = 1;

    /// <summary>c̄, above 0: the cap of the ratio in the traces; decides how fast, not what is learnt.</summary>
    /// <value>The default is 1.</value>
    public double CBar { get; init; } = 1;

    internal void Validate()
    {
        Guard.Fraction(Gamma, nameof(Gamma));
        Guard.Fraction(Lambda, nameof(Lambda));
        Guard.Positive(RhoBar, nameof(RhoBar));
        Guard.Positive(CBar, nameof(CBar));
    }
}
