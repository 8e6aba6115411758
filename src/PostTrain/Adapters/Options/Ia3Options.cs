using PostTrain.Adapters.Layers;

namespace PostTrain.Adapters;

/// <summary>IA³ (Liu et al. 2022, arXiv:2205.05638): vectors scale keys, values and the inner activations of the feed-forward
/// layers.</summary>
public sealed record Ia3Options : AdapterOptions
{
    /// <summary>The targets that are scaled at their input; the others are scaled at their output.</summary>
    /// <value>The default is none.</value>
    public ModuleSelection? FeedForward { get; init; }

    /// <summary>True to start the vectors at N(0, 1) instead of 1.</summary>
    /// <value>The default is false: the adapter changes nothing at the start.</value>
    public bool RandomStart { get; init; }

    internal override string Method => "IA3";

    private protected override ModuleAdapter Create(Leaf leaf, AdapterPlan plan) =>
        leaf.Kind == LeafKind.Linear
            ? new Ia3Scale(leaf, FeedForward?.Contains(leaf.Name) == true, RandomStart, plan.Random)
            : throw AdapterPlan.NotAdaptable(leaf, "IA³ scales linear layers");
}
