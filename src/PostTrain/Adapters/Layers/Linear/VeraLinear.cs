using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>Computes y + λ_b ⊙ B[:out] (λ_d ⊙ A[:, :in] x). A and B are the same tensors in all layers.</summary>
internal sealed class VeraLinear : ModuleAdapter
{
    private readonly double dropout;
    private readonly bool saveProjection;

    [ComponentName(Name = "vera_A")]
    private readonly Tensor a;

    [ComponentName(Name = "vera_B")]
    private readonly Tensor b;

    [ComponentName(Name = "vera_lambda_d")]
    private readonly Parameter inner;

    [ComponentName(Name = "vera_lambda_b")]
    private readonly Parameter outer;

    public VeraLinear(Leaf leaf, VeraOptions options, Tensor a, Tensor b, AdapterRandom random)
        : base("vera", leaf)
    {
        (dropout, saveProjection) = (options.Dropout, options.SaveProjection);
        (this.a, this.b) = (a, b);
        using var scope = NewDisposeScope();
        inner = Trained(leaf, random.Ones([options.Rank], TypeFor(leaf)) * options.InitialScale);
        outer = Trained(leaf, random.Zeros([leaf.Outputs], TypeFor(leaf)));
        RegisterComponents();
    }

    public static Tensor Shared(Leaf leaf, Tensor values) => Fixed(leaf, values);

    public override Tensor After(Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        var x = Cast(input, inner.dtype);
        if (dropout > 0 && training)
            x = nn.functional.dropout(x, dropout, true);
        var sum = Add(output, nn.functional.linear(nn.functional.linear(x, InnerPart) * inner, OuterPart) * outer, 1);
        return ReferenceEquals(sum, output) ? sum : sum.MoveToOuterDisposeScope();
    }

    public override (Tensor? Weight, Tensor? Bias) Merged(Tensor weight, Tensor? bias) =>
        (Cast(weight, inner.dtype) + (outer.detach().unsqueeze(1) * OuterPart).mm(inner.detach().unsqueeze(1) * InnerPart), null);

    public override IEnumerable<StoredTensor> Stored()
    {
        yield return new("vera_lambda_d", inner);
        yield return new("vera_lambda_b", outer);
        if (!saveProjection)
            yield break;
        yield return new("vera_A", a, IsGlobal: true, IsOptional: true);
        yield return new("vera_B", b, IsGlobal: true, IsOptional: true);
    }

    private Tensor InnerPart => a.narrow(1, 0, Leaf.Inputs);

    private Tensor OuterPart => b.narrow(0, 0, Leaf.Outputs);
}
