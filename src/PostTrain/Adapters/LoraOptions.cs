using PostTrain.Adapters.Layers;
using PostTrain.Numerics;

namespace PostTrain.Adapters;

/// <summary>LoRA: W' = W + s·B·A with A [r,in], B [out,r] and s = α/r (Hu et al. 2021, arXiv:2106.09685, eq. 3), and its variants.</summary>
public sealed record LoraOptions : AdapterOptions
{
    /// <summary>r, at least 1.</summary>
    /// <value>The default is 8.</value>
    public int Rank { get; init; } = 8;

    /// <summary>α, above 0.</summary>
    /// <value>The default is 8, a scale of 1 at the default rank.</value>
    public double Alpha { get; init; } = 8;

    /// <summary>Probability with which an input of A is dropped in training, at least 0 and below 1.</summary>
    /// <value>The default is 0.</value>
    public double Dropout { get; init; }

    /// <summary>s = α/√r (rsLoRA, Kalajdzievski 2023, arXiv:2312.03732): the update's size does not depend on the rank.</summary>
    /// <value>The default is false.</value>
    public bool RankStabilized { get; init; }

    /// <summary>DoRA (Liu et al. 2024, arXiv:2402.09353, eq. 5): W' = m ⊙ (W + s·BA) / ‖W + s·BA‖ by rows, the norm without gradient.</summary>
    /// <value>The default is false.</value>
    public bool WeightDecomposed { get; init; }

    /// <summary>Which biases of the base are trained along.</summary>
    /// <value>The default is none.</value>
    public AdapterBias Bias { get; init; }

    /// <summary>Whether B has a bias of its own, scaled by s like B.</summary>
    /// <value>The default is false.</value>
    public bool OwnBias { get; init; }

    /// <summary>Ranks of modules whose names end with a key, a regular expression; the first that fits counts.</summary>
    public IReadOnlyDictionary<string, int> RankPattern { get; init; } = new Dictionary<string, int>();

    /// <summary>α of modules whose names end with a key, a regular expression; the first that fits counts.</summary>
    public IReadOnlyDictionary<string, double> AlphaPattern { get; init; } = new Dictionary<string, double>();

    /// <summary>How A and B start.</summary>
    /// <value>The default changes nothing at the start.</value>
    public LoraInitialization Initialization { get; init; } = LoraInitialization.Default;

    /// <summary>Ids of tokens whose embeddings are trained too.</summary>
    /// <value>The default is none.</value>
    public TrainableTokens Tokens { get; init; } = TrainableTokens.None;

    internal override string Method => "LORA";

    internal override void Validate()
    {
        base.Validate();
        Guard.AtLeast(Rank, 1, nameof(Rank));
        Guard.Positive(Alpha, nameof(Alpha));
        Probability(Dropout, nameof(Dropout));
        foreach (var (key, rank) in RankPattern)
            Guard.AtLeast(rank, 1, $"RankPattern[{key}]");
        foreach (var (key, alpha) in AlphaPattern)
            Guard.Positive(alpha, $"AlphaPattern[{key}]");
        if (OwnBias && WeightDecomposed)
            throw new ArgumentException("OwnBias is given with WeightDecomposed, which has no bias to scale", nameof(OwnBias));
        if (OwnBias && Initialization != LoraInitialization.Default && Initialization != LoraInitialization.Random)
            throw new ArgumentException($"OwnBias is given with the start '{Initialization.Name}', expected the default or random", nameof(OwnBias));
    }

    internal override IEnumerable<ModuleAdapter> Build(AdapterPlan plan) =>
        [.. base.Build(plan), .. plan.Biases(this, Bias), .. Tokens.Build(plan)];

    /// <summary>A module's rank and scale.</summary>
    internal (int Rank, double Scale) Of(string module)
    {
        var rank = ModuleSelection.KeyFor(RankPattern.Keys, module) is { } rankKey ? RankPattern[rankKey] : Rank;
        var alpha = ModuleSelection.KeyFor(AlphaPattern.Keys, module) is { } alphaKey ? AlphaPattern[alphaKey] : Alpha;
        return (rank, alpha / (RankStabilized ? Math.Sqrt(rank) : rank));
    }

    private protected override ModuleAdapter Create(Leaf leaf, AdapterPlan plan) => leaf.Kind switch
    {
        LeafKind.Linear => new LoraLinear(leaf, this, plan.Random),
        LeafKind.Embedding => new LoraEmbedding(leaf, this, plan.Random),
        _ => throw AdapterPlan.NotAdaptable(leaf, "LoRA adapts linear layers and embeddings"),
    };
}
