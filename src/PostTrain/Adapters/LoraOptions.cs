using PostTrain.Adapters.Layers;

namespace PostTrain.Adapters;

/// <summary>LoRA: W' = W + s·B·A with A [r,in], B [out,r] and s = α/r (Hu et al. 2021, arXiv:2106.09685, eq. 3), and its
/// variants.</summary>
public sealed record LoraOptions : LowRankOptions
{
    /// <summary>Probability with which an input of A is dropped in training, at least 0 and below 1.</summary>
    /// <value>The default is 0.</value>
    public double Dropout { get; init; }

    /// <summary>s = α/√r (rsLoRA, Kalajdzievski 2023, arXiv:2312.03732): the update's size does not depend on the rank.</summary>
    /// <value>The default is false.</value>
    public bool RankStabilized { get; init; }

    /// <summary>DoRA (Liu et al. 2024, arXiv:2402.09353, eq. 5): W' = m ⊙ (W + s·BA) / ‖W + s·BA‖ by rows, the norm without
    /// gradient.</summary>
    /// <value>The default is false.</value>
    public bool WeightDecomposed { get; init; }

    /// <summary>Which biases of the base are trained along.</summary>
    /// <value>The default is none.</value>
    public AdapterBias Bias { get; init; }

    /// <summary>Whether B has a bias of its own, scaled by s like B.</summary>
    /// <value>The default is false.</value>
    public bool OwnBias { get; init; }

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
