namespace PostTrain.Adapters.Prompts;

/// <summary>Where a prompt's rows go.</summary>
internal enum PromptPlacement
{
    /// <summary>Before the tokens' embeddings.</summary>
    Embeddings,

    /// <summary>Before the keys and values of every layer.</summary>
    Layers,

    /// <summary>Where virtual ids stand in the text.</summary>
    Template,
}
