using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>Computes l ⊙ (x Wᵀ + b), l [out,1]; or (l ⊙ x) Wᵀ + b, l [1,in].</summary>
internal sealed class Ia3Scale : ModuleAdapter
{
    private readonly bool atInput;

    [ComponentName(Name = "ia3_l")]
    private readonly Parameter scale;

    public Ia3Scale(Leaf leaf, bool atInput, bool randomStart, AdapterRandom random)
        : base("ia3", leaf)
    {
        this.atInput = atInput;
        using var scope = NewDisposeScope();
        long[] shape = atInput ? [1, leaf.Inputs] : [leaf.Outputs, 1];
        scale = Trained(leaf, randomStart ? random.Normal(shape, 1, TypeFor(leaf)) : random.Ones(shape, TypeFor(leaf)));
        RegisterComponents();
    }

    public override bool ChangesInput => atInput;

    public override bool ChangesOutput => !atInput;

    public override Tensor Before(Tensor input) => Scaled(input);

    public override Tensor After(Tensor input, Tensor output) => Scaled(output);

    public override (Tensor? Weight, Tensor? Bias) Merged(Tensor weight, Tensor? bias) =>
        (Cast(weight, scale.dtype) * scale.detach(), atInput || bias is null ? null : Cast(bias, scale.dtype) * scale.detach().reshape(-1));

    public override IEnumerable<StoredTensor> Stored()
    {
        yield return new("ia3_l", scale);
    }

    private Tensor Scaled(Tensor x)
    {
        using var scope = NewDisposeScope();
        return Cast(Cast(x, scale.dtype) * scale.reshape(-1), x.dtype).MoveToOuterDisposeScope();
    }
}
