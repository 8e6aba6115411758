namespace PostTrain.Adapters.Prompts;

/// <summary>The placement of a prompt's rows.</summary>
internal enum PromptPlacement
{
    /// <summary>Before the tokens' embeddings.</summary>
    Embeddings,

    /// <summary>Before the keys and values of every layer.</summary>
    Layers,

    /// <summary>At the virtual ids in the text.</summary>
    Template,
}
