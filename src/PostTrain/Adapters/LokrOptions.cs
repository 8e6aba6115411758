using PostTrain.Adapters.Layers;
using PostTrain.Numerics;

namespace PostTrain.Adapters;

/// <summary>LoKr (Yeh et al. 2023, arXiv:2309.14859, LyCORIS): W' = W + s·W₁ ⊗ W₂ with W₂ = B A where the rank is small, s = α/r.</summary>
public sealed record LokrOptions : LowRankOptions
{
    /// <summary>The wanted size of W₁ on each side; -1 takes the divisors nearest to the square root.</summary>
    /// <value>The default is -1.</value>
    public int Factor { get; init; } = -1;

    /// <summary>Whether W₁ is a product of rank r too where the rank is small.</summary>
    /// <value>The default is false.</value>
    public bool DecomposeBoth { get; init; }

    /// <summary>Probability with which an output's update is dropped in training, at least 0 and below 1.</summary>
    /// <value>The default is 0.</value>
    public double RankDropout { get; init; }

    /// <summary>Whether what is left after <see cref="RankDropout"/> is scaled up to the same mean.</summary>
    /// <value>The default is false.</value>
    public bool ScaleRankDropout { get; init; }

    /// <summary>Probability with which a layer's whole update is dropped in training, at least 0 and below 1.</summary>
    /// <value>The default is 0.</value>
    public double ModuleDropout { get; init; }

    /// <summary>Which factor starts at 0.</summary>
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
