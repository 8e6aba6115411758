using PostTrain.Adapters.Layers;

namespace PostTrain.Adapters;

/// <summary>LoHa (Hyeon-Woo et al. 2021, arXiv:2108.06098; LyCORIS): W' = W + s·(B₁A₁) ⊙ (B₂A₂), s = α/r, of rank up to r².</summary>
public sealed record LohaOptions : LowRankOptions
{
    /// <summary>Dropout probability of an output's update in training, at least 0 and below 1.</summary>
    /// <value>The default is 0.</value>
    public double RankDropout { get; init; }

    /// <summary>Dropout probability of a layer's whole update in training, at least 0 and below 1.</summary>
    /// <value>The default is 0.</value>
    public double ModuleDropout { get; init; }

    /// <summary>True to start the update at random instead of 0.</summary>
    /// <value>The default is false.</value>
    public bool RandomStart { get; init; }

    internal override string Method => "LOHA";

    internal override void Validate()
    {
        base.Validate();
        Probability(RankDropout, nameof(RankDropout));
        Probability(ModuleDropout, nameof(ModuleDropout));
    }

    private protected override ModuleAdapter Create(Leaf leaf, AdapterPlan plan) =>
        leaf.Kind == LeafKind.Linear
            ? new LohaLinear(leaf, this, plan.Random)
            : throw AdapterPlan.NotAdaptable(leaf, "LoHa adapts linear layers");
}
