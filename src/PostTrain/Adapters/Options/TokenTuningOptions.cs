using PostTrain.Adapters.Layers;

namespace PostTrain.Adapters;

/// <summary>Trains only the embeddings of some tokens; with tied embeddings also their rows of the output projection.</summary>
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
        leaf.Kind == LeafKind.Embedding
            ? new TokenRows(leaf, Ids, wrapped: false)
            : throw AdapterPlan.NotAdaptable(leaf, "tokens have their rows in embeddings");
}
