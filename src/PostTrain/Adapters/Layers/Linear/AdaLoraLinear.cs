using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>Computes y + s·B(E ⊙ A x), A [r,in], E [r,1], B [out,r], and tracks the running importance of each number.</summary>
internal sealed class AdaLoraLinear : ModuleAdapter
{
    private readonly double dropout;
    private readonly double scale;

    [ComponentName(Name = "lora_A")]
    private readonly Parameter a;

    [ComponentName(Name = "lora_E")]
    private readonly Parameter e;

    [ComponentName(Name = "lora_B")]
    private readonly Parameter b;

    [ComponentName(Name = "kept")]
    private readonly Tensor kept;

    [ComponentName(Name = "importance_A")]
    private readonly Tensor importanceA;

    [ComponentName(Name = "importance_E")]
    private readonly Tensor importanceE;

    [ComponentName(Name = "importance_B")]
    private readonly Tensor importanceB;

    [ComponentName(Name = "uncertainty_A")]
    private readonly Tensor uncertaintyA;

    [ComponentName(Name = "uncertainty_E")]
    private readonly Tensor uncertaintyE;

    [ComponentName(Name = "uncertainty_B")]
    private readonly Tensor uncertaintyB;

    public AdaLoraLinear(Leaf leaf, AdaLoraOptions options, AdapterRandom random)
        : base("adalora", leaf)
    {
        Rank =
            options.Kept is { } rows && rows.TryGetValue(leaf.Name + ".lora_E", out var flags)
                ? flags.Count(flag => flag)
                : options.InitialRank;
        dropout = options.Dropout;
        scale = options.Alpha / (Rank + 1e-5);
        using var scope = NewDisposeScope();
        var type = TypeFor(leaf);
        a = Trained(leaf, random.Normal([Rank, leaf.Inputs], 0.02, type));
        e = Trained(leaf, random.Zeros([Rank, 1], type));
        b = Trained(leaf, random.Normal([leaf.Outputs, Rank], 0.02, type));
        kept = Fixed(leaf, random.Ones([Rank, 1], type));
        (importanceA, importanceE, importanceB) = (Fixed(leaf, zeros_like(a)), Fixed(leaf, zeros_like(e)), Fixed(leaf, zeros_like(b)));
        (uncertaintyA, uncertaintyE, uncertaintyB) = (Fixed(leaf, zeros_like(a)), Fixed(leaf, zeros_like(e)), Fixed(leaf, zeros_like(b)));
        RegisterComponents();
    }

    /// <summary>Initial number of directions.</summary>
    public int Rank { get; }

    public override Tensor After(Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        var x = Cast(input, a.dtype);
        if (dropout > 0 && training)
            x = nn.functional.dropout(x, dropout, true);
        var sum = Add(output, nn.functional.linear(nn.functional.linear(x, a * e), b), scale);
        return ReferenceEquals(sum, output) ? sum : sum.MoveToOuterDisposeScope();
    }

    public override (Tensor? Weight, Tensor? Bias) Merged(Tensor weight, Tensor? bias) =>
        (Cast(weight, a.dtype) + b.detach().mm((a * e).detach()) * scale, null);

    public override IEnumerable<StoredTensor> Stored()
    {
        yield return new("lora_A", a);
        yield return new("lora_E", e);
        yield return new("lora_B", b);
    }

    /// <summary>Computes (‖AAᵀ − I‖ + ‖BᵀB − I‖) / 2 in the Frobenius norm.</summary>
    public Tensor Penalty()
    {
        using var scope = NewDisposeScope();
        var one = eye(Rank, dtype: a.dtype, device: a.device);
        return (((a.mm(a.t()) - one).norm() + (b.t().mm(b) - one).norm()) / 2).MoveToOuterDisposeScope();
    }

    /// <summary>Updates the running importance |w·∂L/∂w| with the gradients of a step.</summary>
    public void Observe(double beta1, double beta2)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        foreach (
            var (parameter, mean, spread) in new[]
            {
                (a, importanceA, uncertaintyA),
                (e, importanceE, uncertaintyE),
                (b, importanceB, uncertaintyB),
            }
        )
        {
            var gradient =
                parameter.grad
                ?? throw new InvalidOperationException(
                    $"the adapter of '{Leaf.Name}' has no gradient: call after backward and before the gradients are cleared"
                );
            var now = (parameter * gradient).abs();
            mean.mul_(beta1).add_(now * (1 - beta1));
            spread.mul_(beta2).add_((now - mean).abs() * (1 - beta2));
        }
    }

    /// <summary>Computes one score per direction, [r]: its own importance times uncertainty plus the means over its rows of A and
    /// B.</summary>
    public Tensor Scores()
    {
        using var scope = NewDisposeScope();
        return (
            (importanceE * uncertaintyE).reshape(-1) + (importanceA * uncertaintyA).mean([1L]) + (importanceB * uncertaintyB).mean([0L])
        ).MoveToOuterDisposeScope();
    }

    /// <summary>Keeps the directions with a score above the threshold.</summary>
    public void Keep(double threshold)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        kept.copy_(Scores().gt(threshold).unsqueeze(1).to_type(kept.dtype));
        Mask();
    }

    /// <summary>Sets the values of pruned directions to 0.</summary>
    public void Mask()
    {
        using var mode = no_grad();
        e.mul_(kept);
    }

    /// <summary>Returns the number of directions that are kept.</summary>
    public int Kept() => (int)kept.sum().ToDouble();
}
