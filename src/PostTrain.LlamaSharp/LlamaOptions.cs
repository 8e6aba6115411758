using PostTrain.Adapters;
using PostTrain.Models.Gguf;

namespace PostTrain.LlamaSharp;

/// <summary>Options of a <see cref="LlamaSource"/>. The defaults are exact: float32 weights and cache, no flash attention; log-probs then
/// equal the policy's within 1e-4.</summary>
public sealed record LlamaOptions
{
    /// <summary>Hugging Face directory of the model with its tokenizer. Required.</summary>
    public string ModelDirectory { get; init; } = "";

    /// <summary>LoRA adapter that is trained: each delivery writes and swaps the adapter alone.</summary>
    /// <value>The default is null: each delivery writes and loads the whole model.</value>
    public AdaptedModel? Adapter { get; init; }

    /// <summary>Type of the weights in llama.cpp. Fewer bits are faster, and further from the policy: correct for them
    /// (<c>GrpoOptions.Correction</c>).</summary>
    /// <value>The default is <see cref="GgufType.F32"/>.</value>
    public GgufType Type { get; init; } = GgufType.F32;

    /// <summary>Float32 cache and no flash attention.</summary>
    /// <value>The default is true; false leaves both to llama.cpp, which is faster.</value>
    public bool IsExact { get; init; } = true;

    /// <summary>The most sequences that are decoded at a time, 1 to 256.</summary>
    /// <value>The default is 64.</value>
    public int Sequences { get; init; } = 64;

    /// <summary>Threads, at least 1.</summary>
    /// <value>The default is null: as many as there are processors.</value>
    public int? Threads { get; init; }

    /// <summary>Layers on the GPU, at least 0, where the back end has one.</summary>
    /// <value>The default is 0.</value>
    public int GpuLayers { get; init; }

    /// <summary>Folder of the files that are written; a folder of its own inside is deleted with the source.</summary>
    /// <value>The default is null: the system's for temporary files.</value>
    public string? Folder { get; init; }

    /// <exception cref="ArgumentException">An option is out of range; the message names it.</exception>
    internal void Validate()
    {
        if (!Directory.Exists(ModelDirectory))
            throw new ArgumentException($"ModelDirectory is '{ModelDirectory}', expected an existing directory", nameof(ModelDirectory));
        if (!Enum.IsDefined(Type))
            throw new ArgumentOutOfRangeException(nameof(Type), Type, "Type must be one of the enumeration's");
        if (Sequences is < 1 or > 256)
            throw new ArgumentOutOfRangeException(nameof(Sequences), Sequences, "Sequences must be from 1 to 256");
        if (Threads is < 1)
            throw new ArgumentOutOfRangeException(nameof(Threads), Threads, "Threads must be at least 1");
        if (GpuLayers < 0)
            throw new ArgumentOutOfRangeException(nameof(GpuLayers), GpuLayers, "GpuLayers must be at least 0");
    }
}
