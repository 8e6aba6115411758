using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>ΔW = s·(B₁A₁) ⊙ (B₂A₂).</summary>
internal sealed class LohaLinear : DeltaAdapter
{
    private readonly double scale;

    [ComponentName(Name = "hada_w1_a")]
    private readonly Parameter left1;

    [ComponentName(Name = "hada_w1_b")]
    private readonly Parameter right1;

    [ComponentName(Name = "hada_w2_a")]
    private readonly Parameter left2;

    [ComponentName(Name = "hada_w2_b")]
    private readonly Parameter right2;

    public LohaLinear(Leaf leaf, LohaOptions options, AdapterRandom random)
        : base("loha", leaf, options.RankDropout, options.ModuleDropout, scaleDropout: false)
    {
        (var rank, scale) = options.Of(leaf.Name);
        using var scope = NewDisposeScope();
        var type = TypeFor(leaf);
        long[] left = [leaf.Outputs, rank],
            right = [rank, leaf.Inputs];
        left1 = Trained(leaf, options.RandomStart ? random.Kaiming(left, type) : random.Normal(left, 0.1, type));
        right1 = Trained(leaf, options.RandomStart ? random.Kaiming(right, type) : random.Normal(right, 1, type));
        left2 = Trained(leaf, options.RandomStart ? random.Kaiming(left, type) : random.Zeros(left, type));
        right2 = Trained(leaf, options.RandomStart ? random.Kaiming(right, type) : random.Normal(right, 1, type));
        RegisterComponents();
    }

    public override IEnumerable<StoredTensor> Stored()
    {
        yield return new("hada_w1_a", left1);
        yield return new("hada_w1_b", right1);
        yield return new("hada_w2_a", left2);
        yield return new("hada_w2_b", right2);
    }

    protected override Tensor Delta() => left1.mm(right1) * left2.mm(right2) * scale;
}
