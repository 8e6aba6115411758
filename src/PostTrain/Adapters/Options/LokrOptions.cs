using PostTrain.Adapters.Layers;
using PostTrain.Numerics;

namespace PostTrain.Adapters;

/// <summary>LoKr (Yeh et al. 2023, arXiv:2309.14859, LyCORIS): W' = W + s·W₁ ⊗ W₂ with W₂ = B A if the rank is small, s = α/r.</summary>
public sealed record LokrOptions : LowRankOptions
{
    /// <summary>Desired size of W₁ on each side; -1 selects the divisors nearest to the square root.</summary>
    /// <value>The default is -1.</value>
    public int Factor { get; init; } = -1;

    /// <summary>True if W₁ is a product of rank r too, if the rank is small.</summary>
    /// <value>The default is false.</value>
    public bool DecomposeBoth { get; init; }

    /// <summary>Dropout probability of an output's update in training, at least 0 and below 1.</summary>
    /// <value>The default is 0.</value>
    public double RankDropout { get; init; }

    /// <summary>True to scale the update after <see cref="RankDropout"/> to the same mean.</summary>
    /// <value>The default is false.</value>
    public bool ScaleRankDropout { get; init; }

    /// <summary>Dropout probability of a layer's whole update in training, at least 0 and below 1.</summary>
    /// <value>The default is 0.</value>
    public double ModuleDropout { get; init; }

    /// <summary>The factor that starts at 0.</summary>
    /// <value>The default is the left one.</value>
    public LokrStart Start { get; init; }

    internal override string Method => "LOKR";

    internal override void Validate()
    {
        base.Validate();
        if (Factor != -1)
            Guard.AtLeast(Factor, 1, nameof(Factor));
        Probability(RankDropout, nameof(RankDropout));
        Probability(ModuleDropout, nameof(ModuleDropout));
    }

    private protected override ModuleAdapter Create(Leaf leaf, AdapterPlan plan) =>
        leaf.Kind == LeafKind.Linear
            ? new LokrLinear(leaf, this, plan.Random)
            : throw AdapterPlan.NotAdaptable(leaf, "LoKr adapts linear layers");
}
