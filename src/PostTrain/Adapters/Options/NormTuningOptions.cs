using PostTrain.Adapters.Layers;

namespace PostTrain.Adapters;

/// <summary>LN tuning (Zhao et al. 2023, arXiv:2312.11420): trains only copies of the normalisation layers.</summary>
public sealed record NormTuningOptions : AdapterOptions
{
    internal override string Method => "LN_TUNING";

    internal override IEnumerable<ModuleAdapter> Build(AdapterPlan plan) =>
        Targets is not null
            ? base.Build(plan)
            :
            [
                .. plan.Leaves.Where(leaf => leaf.Kind == LeafKind.Norm).Select(leaf => Create(leaf, plan)),
                .. plan.Saved(this).Select(leaf => new ModuleCopy(leaf)),
            ];

    private protected override ModuleAdapter Create(Leaf leaf, AdapterPlan plan) => new ModuleCopy(leaf, "ln_tuning_layers.");
}
