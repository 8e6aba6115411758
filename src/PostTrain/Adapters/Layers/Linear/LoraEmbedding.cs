using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>Rows of W [V,D] plus s·(B A)ᵀ's, A [r,V], B [D,r]. With a magnitude m [D]: DoRA over the columns of W.</summary>
internal sealed class LoraEmbedding : ModuleAdapter, ILoraFactors
{
    private readonly double scale;

    [ComponentName(Name = "lora_embedding_A")]
    private readonly Parameter a;

    [ComponentName(Name = "lora_embedding_B")]
    private readonly Parameter b;

    [ComponentName(Name = "lora_magnitude_vector")]
    private readonly Parameter? magnitude;

    public LoraEmbedding(Leaf leaf, LoraOptions options, AdapterRandom random)
        : base("lora", leaf)
    {
        (var rank, scale) = options.Of(leaf.Name);
        if (
            options.Initialization is { ShiftsBase: true } or { Factors: not null }
            || options.Initialization == LoraInitialization.Orthogonal
        )
            throw new ArgumentException(
                $"the start '{options.Initialization.Name}' is for linear layers, but Targets name the embedding '{leaf.Name}'",
                nameof(options)
            );
        using var scope = NewDisposeScope();
        var type = TypeFor(leaf);
        var (rows, width) = (leaf.Outputs, leaf.Inputs);
        var everything = options.Initialization == LoraInitialization.Random;
        a = Trained(leaf, everything ? random.Normal([rank, rows], 1, type) : random.Zeros([rank, rows], type));
        b = Trained(leaf, random.Normal([width, rank], 1, type));
        if (options.WeightDecomposed)
            magnitude = Trained(leaf, ColumnNorm());
        RegisterComponents();
    }

    public Parameter A => a;

    public Parameter B => b;

    public double Scale => scale;

    public bool IsPlain => magnitude is null;

    public override Tensor After(Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        var rows = a.index_select(1, input.reshape(-1)).t();
        var delta = nn.functional.linear(rows, b).reshape(output.shape);
        if (magnitude is not null)
        {
            var ratio = magnitude / ColumnNorm();
            delta = (ratio - 1) * Cast(output, a.dtype) + ratio * delta * scale;
        }

        var sum = Add(output, delta, magnitude is null ? scale : 1);
        return ReferenceEquals(sum, output) ? sum : sum.MoveToOuterDisposeScope();
    }

    public override (Tensor? Weight, Tensor? Bias) Merged(Tensor weight, Tensor? bias)
    {
        var changed = Cast(weight, a.dtype) + b.mm(a).t() * scale;
        return (magnitude is null ? changed : changed * (magnitude / ColumnNorm()), null);
    }

    public override IEnumerable<StoredTensor> Stored()
    {
        yield return new("lora_embedding_A", a);
        yield return new("lora_embedding_B", b);
        if (magnitude is not null)
            yield return new("lora_magnitude_vector", magnitude);
    }

    private Tensor ColumnNorm()
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        return (Cast(Leaf.Weight, a.dtype) + b.mm(a).t() * scale).square().sum([0L]).sqrt().MoveToOuterDisposeScope();
    }
}
