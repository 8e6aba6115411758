using PostTrain.Numerics;

namespace PostTrain.Merging;

/// <summary>Options of <see cref="Sparsification.Sparsify"/>.</summary>
public sealed record SparsificationOptions
{
    /// <summary>The method that drops entries.</summary>
    /// <value>The default is none.</value>
    public SparsificationKind Kind { get; init; }

    /// <summary>Share of the entries that stay, 0 to 1; 1 keeps all as they are.</summary>
    /// <value>The default is 1.</value>
    public double Density { get; init; } = 1;

    /// <summary>Of <see cref="SparsificationKind.Outliers"/>: share of the largest entries that go, 0 to 1.</summary>
    /// <value>The default is 0.01.</value>
    public double Gamma { get; init; } = 0.01;

    /// <summary>Of <see cref="SparsificationKind.RandomByRank"/>: half the range of the probabilities.</summary>
    /// <value>The default is 0.15.</value>
    public double Epsilon { get; init; } = 0.15;

    /// <summary>True to enlarge the kept entries, as the convention says. PEFT's does so for random kinds only.</summary>
    /// <value>The default is false.</value>
    public bool Rescale { get; init; }

    /// <summary>The rules of the rescaling.</summary>
    /// <value>The default is mergekit's, by the L1 norm.</value>
    public Convention Convention { get; init; }

    internal RescaleNorm Norm => Rescale && Convention == Convention.Mergekit ? RescaleNorm.L1 : RescaleNorm.None;

    internal void Validate()
    {
        Guard.Fraction(Density, nameof(Density));
        Guard.Fraction(Gamma, nameof(Gamma));
        Guard.NotNegative(Epsilon, nameof(Epsilon));
    }
}
