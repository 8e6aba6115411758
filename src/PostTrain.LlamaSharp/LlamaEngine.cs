using LLama;
using LLama.Common;
using LLama.Native;

namespace PostTrain.LlamaSharp;

/// <summary>A model and its cache in llama.cpp.</summary>
internal sealed class LlamaEngine : IDisposable
{
    private readonly LlamaOptions options;
    private readonly string path;
    private readonly LLamaWeights weights;
    private LLamaContext? context;
    private LoraAdapter? adapter;

    /// <exception cref="InvalidDataException">llama.cpp does not load the file.</exception>
    internal LlamaEngine(LlamaOptions options, string path)
    {
        (this.options, this.path) = (options, path);
        try
        {
            weights = LLamaWeights.LoadFromFile(Parameters(0));
        }
        catch (Exception exception) when (exception is LLama.Exceptions.LoadWeightsFailedException or IOException)
        {
            throw new InvalidDataException($"{path}: llama.cpp does not load the file: {exception.Message}", exception);
        }
    }

    /// <summary>Number of token ids, V.</summary>
    internal int VocabularySize => weights.NativeHandle.Vocab.Count;

    /// <summary>Longest context of the model.</summary>
    internal int ContextLength => weights.NativeHandle.ContextSize;

    /// <summary>The most tokens of one pass.</summary>
    internal int BatchSize => (int)Context.BatchSize;

    private SafeLLamaContextHandle Context => context!.NativeHandle;

    /// <summary>Lays an adapter over the model, in place of the one before.</summary>
    internal void Adapt(string file)
    {
        var next = weights.NativeHandle.LoadLoraFromFile(file);
        var previous = adapter;
        adapter = next;
        if (context is not null)
            Apply();
        previous?.Unload();
    }

    /// <summary>Empties the cache and makes room for so many tokens.</summary>
    internal void Begin(int tokens)
    {
        if (context is null || context.NativeHandle.ContextSize < tokens)
        {
            context?.Dispose();
            context = weights.CreateContext(Parameters(tokens));
            Apply();
        }
        Context.MemoryClear();
    }

    /// <summary>Runs a batch and copies the scores of its places: one row of V numbers each.</summary>
    /// <exception cref="InvalidOperationException">llama.cpp has failed.</exception>
    internal void Decode(LLamaBatch batch, IReadOnlyList<(int Place, int[] Rows)> wanted, float[] scores)
    {
        var result = Context.Decode(batch);
        if (result != DecodeResult.Ok)
            throw new InvalidOperationException($"llama.cpp could not decode {batch.TokenCount} tokens: {result}");
        foreach (var (place, rows) in wanted)
        {
            var found = Context.GetLogitsIth(place);
            foreach (var row in rows)
                found.CopyTo(scores.AsSpan(row * VocabularySize, VocabularySize));
        }
    }

    public void Dispose()
    {
        context?.Dispose();
        weights.Dispose();
    }

    private void Apply()
    {
        if (adapter is { } present)
            Context.SetLoraAdapters([(present, 1f)]);
    }

    private ModelParams Parameters(int tokens)
    {
        var threads = options.Threads ?? Environment.ProcessorCount;
        var parameters = new ModelParams(path)
        {
            // llama.cpp rounds up to these.
            ContextSize = (uint)Math.Max(256, (tokens + 255) / 256 * 256),
            SeqMax = (uint)options.Sequences,
            // A prompt belongs to all sequences of its group.
            KVUnified = true,
            Threads = threads,
            BatchThreads = threads,
            GpuLayerCount = options.GpuLayers,
        };
        if (options.IsExact)
        {
            parameters.FlashAttention = false;
            parameters.TypeK = parameters.TypeV = GGMLType.GGML_TYPE_F32;
        }
        return parameters;
    }
}
