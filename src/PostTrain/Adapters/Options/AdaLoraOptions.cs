using PostTrain.Adapters.Layers;
using PostTrain.Models;
using PostTrain.Numerics;

namespace PostTrain.Adapters;

/// <summary>AdaLoRA (Zhang et al. 2023, arXiv:2303.10512): W' = W + s·B diag(E) A, with ranks reduced to a budget by an <see
/// cref="AdaLoraAllocator"/>.</summary>
/// <remarks>Trainers add the orthogonality penalty to each update and reduce the ranks after it.</remarks>
public sealed record AdaLoraOptions : AdapterOptions
{
    /// <summary>Initial rank of all layers, at least 1.</summary>
    /// <value>The default is 12.</value>
    public int InitialRank { get; init; } = 12;

    /// <summary>Final mean rank, at least 1 and at most <see cref="InitialRank"/>.</summary>
    /// <value>The default is 8.</value>
    public int TargetRank { get; init; } = 8;

    /// <summary>α; the scale is α / (rank + 1e-5).</summary>
    /// <value>The default is 8.</value>
    public double Alpha { get; init; } = 8;

    /// <summary>Dropout probability of an input of A in training, at least 0 and below 1.</summary>
    /// <value>The default is 0.</value>
    public double Dropout { get; init; }

    /// <summary>The biases of the base that are trained too.</summary>
    /// <value>The default is none.</value>
    public AdapterBias Bias { get; init; }

    /// <summary>Steps before the budget starts to fall.</summary>
    /// <value>The default is 0.</value>
    public int WarmupSteps { get; init; }

    /// <summary>Steps at the end with the final budget.</summary>
    /// <value>The default is 0.</value>
    public int FinalSteps { get; init; }

    /// <summary>Steps between two reductions.</summary>
    /// <value>The default is 1.</value>
    public int Interval { get; init; } = 1;

    /// <summary>Updates of the whole run; more than <see cref="WarmupSteps"/> plus <see cref="FinalSteps"/>. 0 means those of the
    /// trainer: its steps times its updates a step.</summary>
    /// <value>The default is 0.</value>
    public int TotalSteps { get; init; }

    /// <summary>Decay of the running importance, in (0, 1).</summary>
    /// <value>The default is 0.85.</value>
    public double Beta1 { get; init; } = 0.85;

    /// <summary>Decay of the running uncertainty, in (0, 1).</summary>
    /// <value>The default is 0.85.</value>
    public double Beta2 { get; init; } = 0.85;

    /// <summary>Weight of <see cref="AdaptedModel.OrthogonalityPenalty"/> in the loss, at least 0.</summary>
    /// <value>The default is 0.5.</value>
    public double OrthogonalityWeight { get; init; } = 0.5;

    /// <summary>The kept directions of a loaded adapter, by layer and part.</summary>
    internal IReadOnlyDictionary<string, bool[]>? Kept { get; init; }

    internal int FileRank { get; init; } = 8;

    internal override string Method => "ADALORA";

    internal override void Validate()
    {
        base.Validate();
        Guard.AtLeast(InitialRank, 1, nameof(InitialRank));
        Guard.AtLeast(TargetRank, 1, nameof(TargetRank));
        if (TargetRank > InitialRank)
            throw new ArgumentOutOfRangeException(nameof(TargetRank), TargetRank, $"TargetRank must be at most InitialRank, {InitialRank}");
        Guard.Positive(Alpha, nameof(Alpha));
        Probability(Dropout, nameof(Dropout));
        Guard.AtLeast(WarmupSteps, 0, nameof(WarmupSteps));
        Guard.AtLeast(FinalSteps, 0, nameof(FinalSteps));
        Guard.AtLeast(Interval, 1, nameof(Interval));
        Guard.NotNegative(OrthogonalityWeight, nameof(OrthogonalityWeight));
        if (TotalSteps != 0 && TotalSteps <= (long)WarmupSteps + FinalSteps)
            throw new ArgumentOutOfRangeException(
                nameof(TotalSteps),
                TotalSteps,
                $"TotalSteps must be more than WarmupSteps plus FinalSteps, {(long)WarmupSteps + FinalSteps}"
            );
        foreach (var (value, name) in new[] { (Beta1, nameof(Beta1)), (Beta2, nameof(Beta2)) })
        {
            if (!(value is > 0 and < 1))
                throw new ArgumentOutOfRangeException(name, value, $"{name} must be between 0 and 1");
        }
    }

    internal override IEnumerable<ModuleAdapter> Build(AdapterPlan plan) => [.. base.Build(plan), .. plan.Biases(this, Bias)];

    internal override IEnumerable<IUpdateTerm> UpdateTerms(IReadOnlyList<ModuleAdapter> pieces) =>
        base.UpdateTerms(pieces).Prepend(new AdaLoraTerm(this, [.. pieces.OfType<AdaLoraLinear>()]));

    private protected override ModuleAdapter Create(Leaf leaf, AdapterPlan plan) =>
        leaf.Kind == LeafKind.Linear
            ? new AdaLoraLinear(leaf, this, plan.Random)
            : throw AdapterPlan.NotAdaptable(leaf, "AdaLoRA adapts linear layers");
}
