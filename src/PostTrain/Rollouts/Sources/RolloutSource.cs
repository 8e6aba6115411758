using PostTrain.Models;
using PostTrain.Text;

namespace PostTrain.Rollouts;

/// <summary>Creates sources of rollouts and gathers their completions.</summary>
public static class RolloutSource
{
    /// <summary>Creates a source of a model in this process: the <see cref="Sampler"/>. Its completions equal those of
    /// <see cref="Sampler.Generate(CausalLm, IReadOnlyList{int[]}, SamplingOptions, ulong, ITokenizer, CancellationToken)"/> with
    /// <see cref="LogProbRecording.Drawn"/>, and come as soon as each has ended.</summary>
    /// <remarks>The model is asked without dropout and without gradients. It has the weights of the moment, so
    /// <see cref="RolloutSample.Version"/> is the request's.</remarks>
    /// <param name="model">Draws; stays with the caller.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    public static IRolloutSource Of(CausalLm model, ITokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        return new SamplerSource(model, tokenizer);
    }

    /// <summary>Creates a source of functions.</summary>
    /// <param name="name">Name in messages.</param>
    /// <param name="generate">As <see cref="IRolloutSource.GenerateAsync"/>.</param>
    /// <param name="update">As <see cref="IRolloutSource.UpdateAsync"/>; null if the source takes no weights.</param>
    public static IRolloutSource Of(
        string name,
        Func<RolloutRequest, CancellationToken, IAsyncEnumerable<RolloutSample>> generate,
        Func<CausalLm, long, CancellationToken, Task>? update = null
    )
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(generate);
        return new FunctionSource(name, generate, update);
    }

    /// <summary>Gathers all completions of a request and checks them.</summary>
    /// <param name="source">Draws.</param>
    /// <param name="request">Prompts and options.</param>
    /// <param name="cancellation">Cancels the drawing.</param>
    /// <returns>The completions in the order of the rows.</returns>
    /// <exception cref="ArgumentException">The request is not valid.</exception>
    /// <exception cref="InvalidDataException">A completion is missing, comes twice, is empty or too long, has an id outside the vocabulary,
    /// or log-probs that are missing or not finite; the message names source and row.</exception>
    public static async Task<IReadOnlyList<RolloutSample>> CollectAsync(
        this IRolloutSource source,
        RolloutRequest request,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(request);
        request.Validate();
        var samples = new RolloutSample[request.Prompts.Count];
        await foreach (var sample in source.GenerateAsync(request, cancellation).WithCancellation(cancellation).ConfigureAwait(false))
        {
            SampleCheck.Require(source.Name, request, sample);
            if (samples[sample.Row] is not null)
                throw new InvalidDataException($"{source.Name} completed row {sample.Row} twice, expected one completion of each row");
            samples[sample.Row] = sample;
        }
        cancellation.ThrowIfCancellationRequested();
        var missing = Array.IndexOf(samples, null);
        return missing < 0
            ? samples
            : throw new InvalidDataException(
                $"{source.Name} gave {samples.Count(sample => sample is not null)} of {samples.Length} completions, that of "
                    + $"row {missing} is "
                    + "missing"
            );
    }

    private sealed class FunctionSource(
        string name,
        Func<RolloutRequest, CancellationToken, IAsyncEnumerable<RolloutSample>> generate,
        Func<CausalLm, long, CancellationToken, Task>? update
    ) : IRolloutSource
    {
        public string Name => name;

        public IAsyncEnumerable<RolloutSample> GenerateAsync(RolloutRequest request, CancellationToken cancellation = default) =>
            generate(request, cancellation);

        public Task UpdateAsync(CausalLm policy, long version, CancellationToken cancellation = default) =>
            update?.Invoke(policy, version, cancellation) ?? Task.CompletedTask;
    }
}
