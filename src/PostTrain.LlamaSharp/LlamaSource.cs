using System.Runtime.CompilerServices;
using PostTrain.Adapters;
using PostTrain.Models;
using PostTrain.Models.Gguf;
using PostTrain.Rollouts;
using PostTrain.Text;

namespace PostTrain.LlamaSharp;

/// <summary>A source of rollouts on llama.cpp in this process.</summary>
/// <remarks>
/// <para>The model goes to llama.cpp as a GGUF file that this library writes; a delivery of weights swaps the LoRA adapter, or loads the
/// whole model anew. Rows are decoded together, up to <see cref="LlamaOptions.Sequences"/> at a time; the prompt of a group is run
/// once.</para>
/// <para>Tokens are drawn from llama.cpp's scores as <see cref="Sampler"/> draws them: all sampling options hold, the same seed gives the
/// same completions, and those of the policy's own sampler up to the rounding of scores. One call at a time.</para>
/// </remarks>
public sealed class LlamaSource : IRolloutSource, IDisposable
{
    private readonly LlamaOptions options;
    private readonly ITokenizer tokenizer;
    private readonly string folder;
    private readonly SemaphoreSlim use = new(1, 1);
    private LlamaEngine? engine;
    private long? version;
    private int files;

    /// <summary>Creates a source; the model is written and loaded at its first use.</summary>
    /// <param name="options">Options, with the model's directory.</param>
    /// <param name="tokenizer">Tokenizer of the policy.</param>
    /// <exception cref="ArgumentException">An option is not valid.</exception>
    public LlamaSource(LlamaOptions options, ITokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(tokenizer);
        options.Validate();
        (this.options, this.tokenizer) = (options, tokenizer);
        folder = Path.Combine(options.Folder ?? Path.GetTempPath(), $"posttrain-llama-{Guid.NewGuid():N}");
    }

    /// <inheritdoc/>
    public string Name => $"llama.cpp on {options.ModelDirectory}";

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The request does not fit the model.</exception>
    /// <exception cref="InvalidDataException">llama.cpp does not load the model.</exception>
    public async IAsyncEnumerable<RolloutSample> GenerateAsync(
        RolloutRequest request,
        [EnumeratorCancellation] CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(request);
        await use.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            var running = engine ??= Load(null, cancellation);
            request = Fitting(request, running);
            for (var first = 0; first < request.Prompts.Count; first += options.Sequences)
            {
                var count = Math.Min(options.Sequences, request.Prompts.Count - first);
                using var decoding = new LlamaDecoding(running, request, tokenizer, first, count);
                running.Begin(decoding.Room);
                decoding.Start();
                while (decoding.Continues)
                {
                    cancellation.ThrowIfCancellationRequested();
                    foreach (var sample in decoding.Step())
                        yield return sample with
                        {
                            Version = version,
                        };
                    // Lets other work on this thread run.
                    await Task.Yield();
                }
            }
        }
        finally
        {
            use.Release();
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The policy is no decoder, or has an adapter that <see cref="LlamaOptions.Adapter"/> does not
    /// name.</exception>
    /// <exception cref="NotSupportedException">llama.cpp has no counterpart of the model or the adapter.</exception>
    public async Task UpdateAsync(CausalLm policy, long version, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(policy);
        await use.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            if (options.Adapter is { } adapter)
            {
                engine ??= Load(null, cancellation);
                Adapt(engine, adapter, cancellation);
            }
            else
            {
                var decoder =
                    policy as Decoder
                    ?? throw new ArgumentException($"policy is a {policy.GetType().Name}, expected a Decoder", nameof(policy));
                // The old model makes room first.
                engine?.Dispose();
                engine = null;
                engine = Load(decoder, cancellation);
            }
            this.version = version;
        }
        finally
        {
            use.Release();
        }
    }

    /// <summary>Frees the model and deletes the files.</summary>
    public void Dispose()
    {
        engine?.Dispose();
        engine = null;
        use.Dispose();
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
    }

    private LlamaEngine Load(Decoder? model, CancellationToken cancellation)
    {
        var path = NextFile();
        var export = new GgufExportOptions { Type = options.Type };
        if (model is null)
            GgufExport.Write(options.ModelDirectory, path, export, stop: cancellation);
        else
            GgufExport.Write(model, options.ModelDirectory, path, export, stop: cancellation);
        try
        {
            return new LlamaEngine(options, path);
        }
        finally
        {
            // Mapped where the system allows that; elsewhere the folder is deleted at the end.
            TryDelete(path);
        }
    }

    private void Adapt(LlamaEngine running, AdaptedModel adapter, CancellationToken cancellation)
    {
        var (directory, path) = (Path.Combine(folder, "adapter"), NextFile());
        adapter.Save(directory);
        GgufAdapter.Write(directory, options.ModelDirectory, path, stop: cancellation);
        running.Adapt(path);
        TryDelete(path);
    }

    private string NextFile()
    {
        Directory.CreateDirectory(folder);
        return Path.Combine(folder, $"{++files}.gguf");
    }

    // llama.cpp's vocabulary and context bound what a caller leaves open.
    private static RolloutRequest Fitting(RolloutRequest request, LlamaEngine running)
    {
        if (request.VocabularySize is { } size && size != running.VocabularySize)
            throw new ArgumentException(
                $"request has a vocabulary of {size} tokens, the model in llama.cpp {running.VocabularySize}",
                nameof(request)
            );
        request = request with
        {
            VocabularySize = running.VocabularySize,
            ContextLength = Math.Min(request.ContextLength ?? int.MaxValue, running.ContextLength),
        };
        request.Validate();
        request.Sampling.Validate(running.VocabularySize);
        return request;
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException) { }
    }
}
