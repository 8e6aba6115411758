using PostTrain.Adapters.Layers;

namespace PostTrain.Adapters;

/// <summary>BitFit (Ben Zaken et al. 2021, arXiv:2106.10199): trains only biases; without targets, all of them.</summary>
/// <remarks>PEFT has no such method; only this library can read a saved one.</remarks>
public sealed record BitFitOptions : AdapterOptions
{
    internal override string Method => "BITFIT";

    internal override IEnumerable<ModuleAdapter> Build(AdapterPlan plan)
    {
        if (Targets is not null)
            return base.Build(plan);
        var biases = plan.Leaves.Where(leaf => leaf.Bias is not null).Select(leaf => Create(leaf, plan)).ToList();
        return biases.Count > 0 ? biases : throw new ArgumentException("the model has no bias to train", nameof(plan));
    }

    private protected override ModuleAdapter Create(Leaf leaf, AdapterPlan plan) =>
        leaf.Bias is not null
            ? new BiasShift(leaf, wrapped: false)
            : throw AdapterPlan.NotAdaptable(leaf, "BitFit trains biases, and it has none");
}
