using PostTrain.Adapters.Layers;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters;

/// <summary>VeRA (Kopiczko et al. 2023, arXiv:2310.11454, eq. 2): y + λ_b ⊙ B (λ_d ⊙ A x) with fixed random A and B shared by all
/// layers.</summary>
public sealed record VeraOptions : AdapterOptions
{
    /// <summary>r, at least 1; each layer has only r + out parameters.</summary>
    /// <value>The default is 256.</value>
    public int Rank { get; init; } = 256;

    /// <summary>Seed of A and B, drawn from torch's own generator, so that they equal PEFT's.</summary>
    /// <value>The default is 0.</value>
    public int ProjectionSeed { get; init; }

    /// <summary>True to store A and B in files; otherwise a reader draws them again.</summary>
    /// <value>The default is true.</value>
    public bool SaveProjection { get; init; } = true;

    /// <summary>Initial value of λ_d; λ_b starts at 0.</summary>
    /// <value>The default is 0.1.</value>
    public double InitialScale { get; init; } = 0.1;

    /// <summary>Dropout probability of an input in training, at least 0 and below 1.</summary>
    /// <value>The default is 0.</value>
    public double Dropout { get; init; }

    /// <summary>The biases of the base that are trained too.</summary>
    /// <value>The default is none.</value>
    public AdapterBias Bias { get; init; }

    internal override string Method => "VERA";

    internal override void Validate()
    {
        base.Validate();
        Guard.AtLeast(Rank, 1, nameof(Rank));
        Probability(Dropout, nameof(Dropout));
        if (!double.IsFinite(InitialScale))
            throw new ArgumentOutOfRangeException(nameof(InitialScale), InitialScale, "InitialScale must be finite");
    }

    internal override IEnumerable<ModuleAdapter> Build(AdapterPlan plan)
    {
        var targets = plan.Targets(this);
        var (a, b) = Projection(targets, plan.Random);
        foreach (var leaf in targets)
            yield return new VeraLinear(leaf, this, a, b, plan.Random);
        foreach (var leaf in plan.Saved(this))
            yield return new ModuleCopy(leaf);
        foreach (var bias in plan.Biases(this, Bias))
            yield return bias;
    }

    private protected override ModuleAdapter Create(Leaf leaf, AdapterPlan plan) => throw new NotSupportedException();

    // A [r, widest in], B [widest out, r], U(±√(6/fan-in)), drawn in this order.
    private (Tensor A, Tensor B) Projection(IReadOnlyList<Leaf> targets, AdapterRandom random)
    {
        if (targets.FirstOrDefault(leaf => leaf.Kind != LeafKind.Linear) is { } other)
            throw AdapterPlan.NotAdaptable(other, "VeRA adapts linear layers");
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var (inputs, outputs) = (targets.Max(leaf => leaf.Inputs), targets.Max(leaf => leaf.Outputs));
        using var generator = new Generator((ulong)(long)ProjectionSeed);
        var a = random.Zeros([Rank, inputs], ScalarType.Float32).uniform_(-Math.Sqrt(6.0 / inputs), Math.Sqrt(6.0 / inputs), generator);
        var b = random.Zeros([outputs, Rank], ScalarType.Float32).uniform_(-Math.Sqrt(6.0 / Rank), Math.Sqrt(6.0 / Rank), generator);
        return (VeraLinear.Shared(targets[0], a), VeraLinear.Shared(targets[0], b));
    }
}
