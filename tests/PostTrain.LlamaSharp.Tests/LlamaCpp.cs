using LLama;
using LLama.Common;
using LLama.Native;

namespace PostTrain.LlamaSharp.Tests;

/// <summary>A GGUF file in llama.cpp: tokens, logits, greedy continuations. Keys and values in float32, flash attention off.</summary>
internal sealed class LlamaCpp : IDisposable
{
    private readonly LLamaWeights weights;
    private readonly LLamaContext context;

    static LlamaCpp() => NativeLibraryConfig.All.WithLogCallback((_, _) => { });

    internal LlamaCpp(string path, int length)
    {
        var parameters = new ModelParams(path)
        {
            ContextSize = (uint)length,
            Threads = 2,
            BatchThreads = 2,
            GpuLayerCount = 0,
            FlashAttention = false,
            TypeK = GGMLType.GGML_TYPE_F32,
            TypeV = GGMLType.GGML_TYPE_F32,
        };
        weights = LLamaWeights.LoadFromFile(parameters);
        context = weights.CreateContext(parameters);
    }

    /// <summary>The chat template that the file carries.</summary>
    internal string? ChatTemplate => weights.Metadata.GetValueOrDefault("tokenizer.chat_template");

    internal int[] Tokenize(string text, bool special = false) => [.. context.Tokenize(text, true, special).Select(token => (int)token)];

    internal string Text(IEnumerable<int> ids)
    {
        var decoder = new StreamingTokenDecoder(context);
        foreach (var id in ids)
            decoder.Add(id);
        return decoder.Read();
    }

    /// <summary>Lays an adapter over the model.</summary>
    internal void Adapt(string path) => context.NativeHandle.SetLoraAdapters([(weights.NativeHandle.LoadLoraFromFile(path), 1f)]);

    /// <summary>Logits of every position.</summary>
    internal float[][] Logits(int[] ids)
    {
        context.NativeHandle.MemoryClear();
        var batch = new LLamaBatch();
        for (var i = 0; i < ids.Length; i++)
            batch.Add(ids[i], i, (LLamaSeqId)0, true);
        Decode(batch);
        return [.. ids.Select((_, i) => context.NativeHandle.GetLogitsIth(i).ToArray())];
    }

    /// <summary>The most probable tokens one after the other, up to one of the ends.</summary>
    internal int[] Greedy(int[] prompt, int count, params int[] ends)
    {
        var next = Largest(Logits(prompt)[^1]);
        var found = new List<int>();
        while (true)
        {
            found.Add(next);
            if (found.Count == count || ends.Contains(next))
                return [.. found];
            var batch = new LLamaBatch();
            batch.Add(next, prompt.Length + found.Count - 1, (LLamaSeqId)0, true);
            Decode(batch);
            next = Largest(context.NativeHandle.GetLogitsIth(0));
        }
    }

    public void Dispose()
    {
        context.Dispose();
        weights.Dispose();
    }

    private void Decode(LLamaBatch batch) => Assert.Equal(DecodeResult.Ok, context.NativeHandle.Decode(batch));

    private static int Largest(ReadOnlySpan<float> values)
    {
        var best = 0;
        for (var i = 1; i < values.Length; i++)
        {
            if (values[i] > values[best])
                best = i;
        }

        return best;
    }
}
