using PostTrain.Adapters.Layers;

namespace PostTrain.Adapters;

/// <summary>Trains only the embeddings of some tokens; with tied embeddings also their rows of the output projection.</summary>
/// <remarks>The rows of an output projection with a weight of its own are trained where <see cref="AdapterOptions.Targets"/> names it
/// beside the embedding, as in PEFT: <c>["embed_tokens", "lm_head"]</c>.</remarks>
public sealed record TokenTuningOptions : AdapterOptions
{
    /// <summary>Token ids, at least one, all different.</summary>
    public required IReadOnlyList<int> Ids { get; init; }

    internal override string Method => "TRAINABLE_TOKENS";

    internal override void Validate()
    {
        base.Validate();
        if (Ids.Count == 0)
            throw new ArgumentException("Ids is empty, expected the tokens to train", nameof(Ids));
    }

    internal override IEnumerable<ModuleAdapter> Build(AdapterPlan plan)
    {
        foreach (var leaf in Targets is null ? [plan.Embedding(null)] : plan.Targets(this))
        {
            var tokens = (TokenRows)Create(leaf, plan);
            yield return tokens;
            if (plan.TiedTo(leaf) is { } head)
                yield return new TokenColumns(head, tokens);
        }
    }

    private protected override ModuleAdapter Create(Leaf leaf, AdapterPlan plan) =>
        leaf.Kind == LeafKind.Embedding || (leaf is { IsHead: true, IsTied: false, Bias: null, Packed: null })
            ? new TokenRows(leaf, Ids, wrapped: false)
            : throw AdapterPlan.NotAdaptable(
                leaf,
                "tokens have their rows in embeddings and in an output projection that has a weight of its own"
            );
}
