using PostTrain.Adapters.Layers;
using static TorchSharp.torch;

namespace PostTrain.Adapters;

/// <summary>An adapter of a user's own on linear layers.</summary>
internal sealed record OwnAdapterOptions(
    string Name,
    Func<AdapterLayer, ulong, IReadOnlyList<(string Name, Tensor Start)>> Start,
    Func<AdapterLayer, IReadOnlyList<Tensor>, Tensor> Delta
) : AdapterOptions
{
    internal override string Method => Name;

    private protected override ModuleAdapter Create(Leaf leaf, AdapterPlan plan) =>
        leaf.Kind == LeafKind.Linear
            ? new OwnLinear(leaf, this, plan.Random.NextSeed())
            : throw AdapterPlan.NotAdaptable(leaf, $"{Name} adapts linear layers");
}
