using PostTrain.Adapters.Layers;

namespace PostTrain.Adapters;

/// <summary>LoRA: W' = W + s·B·A with A [r,in], B [out,r] and s = α/r (Hu et al. 2021, arXiv:2106.09685, eq. 3), and its
/// variants.</summary>
public sealed record LoraOptions : LowRankOptions
{
    /// <summary>Dropout probability of an input of A in training, at least 0 and below 1.</summary>
    /// <value>The default is 0.</value>
    public double Dropout { get; init; }

    /// <summary>True for s = α/√r (rsLoRA, Kalajdzievski 2023, arXiv:2312.03732): the size of the update does not depend on the
    /// rank.</summary>
    /// <value>The default is false.</value>
    public bool RankStabilized { get; init; }

    /// <summary>True for DoRA (Liu et al. 2024, arXiv:2402.09353, eq. 5): W' = m ⊙ (W + s·BA) / ‖W + s·BA‖ by rows, with no gradient
    /// through the norm.</summary>
    /// <value>The default is false.</value>
    public bool WeightDecomposed { get; init; }

    /// <summary>The biases of the base that are trained too.</summary>
    /// <value>The default is none.</value>
    public AdapterBias Bias { get; init; }

    /// <summary>True if B has its own bias, scaled by s like B.</summary>
    /// <value>The default is false.</value>
    public bool OwnBias { get; init; }

    /// <summary>Initialisation of A and B.</summary>
    /// <value>The default leaves the model unchanged at the start.</value>
    public LoraInitialization Initialization { get; init; } = LoraInitialization.Default;

    /// <summary>Tokens whose embeddings are trained too.</summary>
    /// <value>The default is none.</value>
    public TrainableTokens Tokens { get; init; } = TrainableTokens.None;

    internal override string Method => "LORA";

    internal override void Validate()
    {
        base.Validate();
        Probability(Dropout, nameof(Dropout));
        if (OwnBias && WeightDecomposed)
            throw new ArgumentException("OwnBias is given with WeightDecomposed, which has no bias to scale", nameof(OwnBias));
        if (OwnBias && Initialization != LoraInitialization.Default && Initialization != LoraInitialization.Random)
            throw new ArgumentException(
                $"OwnBias is given with the start '{Initialization.Name}', expected the default or random",
                nameof(OwnBias)
            );
    }

    internal override IEnumerable<ModuleAdapter> Build(AdapterPlan plan) =>
        [.. base.Build(plan), .. plan.Biases(this, Bias), .. Tokens.Build(plan)];

    private protected override double Scale(double alpha, int rank) => alpha / (RankStabilized ? Math.Sqrt(rank) : rank);

    private protected override ModuleAdapter Create(Leaf leaf, AdapterPlan plan) =>
        leaf.Kind switch
        {
            LeafKind.Linear => new LoraLinear(leaf, this, plan.Random),
            LeafKind.Embedding => new LoraEmbedding(leaf, this, plan.Random),
            _ => throw AdapterPlan.NotAdaptable(leaf, "LoRA adapts linear layers and embeddings"),
        };
}
