using PostTrain.Operators;
using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>y + s·B(A x) − s·B₀(A₀ x) by two small products; s·BA is never made. With a magnitude m: DoRA.</summary>
internal sealed class LoraLinear : ModuleAdapter, ILoraFactors
{
    private readonly double dropout;

    [ComponentName(Name = "lora_A")]
    private readonly Parameter a;

    [ComponentName(Name = "lora_B")]
    private readonly Parameter b;

    [ComponentName(Name = "lora_B_bias")]
    private readonly Parameter? ownBias;

    [ComponentName(Name = "lora_magnitude_vector")]
    private readonly Parameter? magnitude;

    [ComponentName(Name = "start_A")]
    private readonly Tensor? startA;

    [ComponentName(Name = "start_B")]
    private readonly Tensor? startB;

    public LoraLinear(Leaf leaf, LoraOptions options, AdapterRandom random)
        : base("lora", leaf)
    {
        (var rank, Scale) = options.Of(leaf.Name);
        dropout = options.Dropout;
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var (startA, startB) = options.Initialization.Factors is { } factors
            ? LoraStart.Given(factors, leaf, rank)
            : LoraStart.Of(leaf.Values(), rank, Scale, options.Initialization, random);
        (a, b) = (Trained(leaf, startA), Trained(leaf, startB));
        if (options.OwnBias)
            ownBias = Trained(
                leaf,
                options.Initialization == LoraInitialization.Random
                    ? random.Uniform([leaf.Outputs], 1 / Math.Sqrt(rank), TypeFor(leaf))
                    : zeros(leaf.Outputs)
            );
        if (options.Initialization.ShiftsBase)
            (this.startA, this.startB) = (Fixed(leaf, startA), Fixed(leaf, startB));
        if (options.WeightDecomposed)
            magnitude = Trained(leaf, RowNorm());
        RegisterComponents();
    }

    public double Scale { get; }

    public Parameter A => a;

    public Parameter B => b;

    public bool IsPlain => magnitude is null && ownBias is null && startA is null;

    public override Tensor After(Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        if (IsPlain && !(dropout > 0 && training) && LowRankOperator.Takes(output, input, a, b))
            return LowRankOperator.Run(output, input, a, b, Scale).MoveToOuterDisposeScope();
        var x = Cast(input, a.dtype);
        var drops = dropout > 0 && training;
        if (drops)
            x = nn.functional.dropout(x, dropout, true);
        var delta = nn.functional.linear(nn.functional.linear(x, a), b, ownBias);
        if (startA is not null)
            delta = delta - nn.functional.linear(nn.functional.linear(x, startA), startB!);
        if (magnitude is not null)
        {
            var type = a.dtype;
            var plain =
                drops ? nn.functional.linear(x, Cast(Leaf.Values(), type))
                : Leaf.Bias is { } bias ? Cast(output, type) - Cast(bias, type)
                : Cast(output, type);
            var ratio = magnitude / RowNorm();
            delta = (ratio - 1) * plain + ratio * delta * Scale;
        }

        var sum = Add(output, delta, magnitude is null ? Scale : 1);
        return ReferenceEquals(sum, output) ? sum : sum.MoveToOuterDisposeScope();
    }

    public override (Tensor? Weight, Tensor? Bias) Merged(Tensor weight, Tensor? bias)
    {
        var changed = Cast(weight, a.dtype) + Delta();
        if (magnitude is not null)
            changed = changed * (magnitude / RowNorm()).unsqueeze(1);
        if (ownBias is null)
            return (changed, null);
        if (bias is null)
            throw new InvalidOperationException(
                $"the adapter of '{Leaf.Name}' has a bias of its own, but the layer has none to merge it into"
            );
        return (changed, bias + ownBias * Scale);
    }

    /// <summary>s(BA − B₀A₀), [out,in].</summary>
    public Tensor Delta()
    {
        using var scope = NewDisposeScope();
        var product = b.mm(a);
        if (startA is not null)
            product = product - startB!.mm(startA);
        return product.mul(Scale).detach().MoveToOuterDisposeScope();
    }

    public override IEnumerable<StoredTensor> Stored()
    {
        yield return new("lora_A.weight", a);
        yield return new("lora_B.weight", b);
        if (ownBias is not null)
            yield return new("lora_B.bias", ownBias);
        if (magnitude is not null)
            yield return new("lora_magnitude_vector", magnitude);
    }

    // ‖W + sBA‖² by rows is ‖W‖² + 2s·(WAᵀ ⊙ B)1 + s²·(B(AAᵀ) ⊙ B)1: nothing of W's size is made but W ⊙ W's sums. No gradient flows
    // through it.
    private Tensor RowNorm()
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var weight = Cast(Leaf.Values(), a.dtype);
        if (startA is not null)
            return (weight + Delta()).square().sum([1L]).sqrt().MoveToOuterDisposeScope();
        var cross = (weight.mm(a.t()) * b).sum([1L]) * (2 * Scale);
        var own = (b.mm(a.mm(a.t())) * b).sum([1L]) * (Scale * Scale);
        return (weight.square().sum([1L]) + cross + own).clamp_min(0).sqrt().MoveToOuterDisposeScope();
    }
}
