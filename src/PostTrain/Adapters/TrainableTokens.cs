using PostTrain.Adapters.Layers;

namespace PostTrain.Adapters;

/// <summary>Tokens whose embeddings an adapter trains. With tied embeddings the output projection has the same rows, trained
/// along.</summary>
public sealed record TrainableTokens
{
    /// <summary>No token.</summary>
    public static TrainableTokens None { get; } = new();

    /// <summary>Token ids, from 0, each once.</summary>
    public IReadOnlyList<int> Ids { get; init; } = [];

    /// <summary>The embedding's name, or its end. Null: the model's token embedding.</summary>
    public string? Module { get; init; }

    /// <summary>These ids in the model's token embedding.</summary>
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
