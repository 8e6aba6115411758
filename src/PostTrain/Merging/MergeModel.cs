namespace PostTrain.Merging;

/// <summary>A model that takes part in a merge.</summary>
/// <param name="Directory">Checkpoint directory of transformers: config.json, safetensors, tokenizer.</param>
public sealed record MergeModel(string Directory)
{
    /// <summary>Parameters of this model.</summary>
    public MergeParameters Parameters { get; init; } = new();

    /// <summary>Layers that a slice takes, from and up to, the last excluded. Null: all.</summary>
    public (int Start, int End)? Layers { get; init; }

    /// <summary>A .safetensors file with a statistic for each tensor's name: diagonals of the Fisher information, or Gram
    /// matrices.</summary>
    public string? Statistics { get; init; }
}
