namespace PostTrain.Models.Gguf;

/// <summary>Options of <see cref="GgufExport"/>.</summary>
public sealed record GgufExportOptions
{
    /// <summary>Type of the matrices: F32, F16, BF16, Q8_0 or Q4_0. Vectors (norms, biases) and learned positions stay F32; a matrix whose
    /// rows are no multiple of a block's 32 entries is written as F16.</summary>
    /// <value>The default is F16.</value>
    public GgufType Type { get; init; } = GgufType.F16;

    /// <summary>True to write tokenizer and chat template into the file. A file without them gives logits for ids, and no text.</summary>
    /// <value>The default is true.</value>
    public bool Vocabulary { get; init; } = true;

    /// <summary>llama.cpp's name of the way in which a byte-level tokenizer cuts text into words, such as <c>llama-bpe</c> or
    /// <c>qwen2</c>. Null: found by the expressions of the tokenizer's file, of which the common ones are known.</summary>
    /// <value>The default is null.</value>
    public string? PreTokenizer { get; init; }

    /// <summary>Name of the model in the file. Null: the directory's name.</summary>
    /// <value>The default is null.</value>
    public string? Name { get; init; }

    /// <summary>True to write a model even if llama.cpp ignores a part of it: sliding windows of llama, mistral and qwen, a scale of the
    /// scores in Gemma 2 and 3 that is not 1/√(head size), another order of their layers. Otherwise such a model is rejected by
    /// name.</summary>
    /// <value>The default is false.</value>
    public bool AllowDifferences { get; init; }

    internal void Validate()
    {
        if (Type is not (GgufType.F32 or GgufType.F16 or GgufType.BF16 or GgufType.Q8_0 or GgufType.Q4_0))
            throw new ArgumentOutOfRangeException(nameof(Type), Type, "Type must be F32, F16, BF16, Q8_0 or Q4_0");
    }
}
