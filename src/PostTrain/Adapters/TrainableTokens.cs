using PostTrain.Adapters.Layers;

namespace PostTrain.Adapters;

/// <summary>Tokens whose embeddings an adapter trains. With tied embeddings the output projection shares the trained rows.</summary>
public sealed record TrainableTokens
{
    /// <summary>No tokens.</summary>
    public static TrainableTokens None { get; } = new();

    /// <summary>Token ids, from 0, all different.</summary>
    public IReadOnlyList<int> Ids { get; init; } = [];

    /// <summary>The embedding's name or its ending; null for the model's token embedding.</summary>
    public string? Module { get; init; }

    /// <summary>Selects these ids in the model's token embedding.</summary>
    public static TrainableTokens Of(params ReadOnlySpan<int> ids) => new() { Ids = ids.ToArray() };

    internal IEnumerable<ModuleAdapter> Build(AdapterPlan plan)
    {
        if (Ids.Count == 0)
            return [];
        var leaf = plan.Embedding(Module);
        var tokens = new TokenRows(leaf, Ids, wrapped: true);
        return plan.TiedTo(leaf) is { } head ? [tokens, new TokenColumns(head, tokens)] : [tokens];
    }
}
