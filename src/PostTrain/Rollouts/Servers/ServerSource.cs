using System.Runtime.CompilerServices;
using System.Threading.Channels;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Text;

namespace PostTrain.Rollouts.Servers;

/// <summary>A source of rollouts behind HTTP: vLLM, SGLang, or llama.cpp's server.</summary>
/// <remarks>
/// <para>A group of equal prompts is one request (<c>n</c>), with at most <see cref="ServerOptions.RequestsInFlight"/> at a time; its
/// completions come as soon as the request is answered. A request that fails is sent again; each row comes once.</para>
/// <para>Prompts go as token ids, and token ids with their log-probs come back: no text is tokenized anew. Stop tokens are the options',
/// and what a server gives behind one is cut off. The seed of a request is a function of the request's seed and its first row; whether
/// equal seeds give equal completions is the server's affair.</para>
/// <para>Before the first draw the server's model and tokenizer are compared with the policy's (<see cref="CheckAsync"/>).</para>
/// </remarks>
public sealed class ServerSource : IRolloutSource, IDisposable
{
    // Bytes of JSON for a token with its log-prob, and for all else of an answer.
    private const long BytesPerToken = 2048,
        BytesOfAnswer = 1 << 16;

    private readonly ServerOptions options;
    private readonly ITokenizer tokenizer;
    private readonly ServerConnection connection;
    private readonly Dialect dialect;
    private readonly ServerDelivery delivery;
    private readonly SemaphoreSlim checking = new(1, 1);
    private ServerFacts? facts;

    /// <summary>Creates a source; nothing is sent before its first use.</summary>
    /// <param name="options">Options, with the address.</param>
    /// <param name="tokenizer">Tokenizer of the policy.</param>
    /// <param name="client">Client for the requests, which stays with the caller; null for one of the source's own. Its timeout should be
    /// longer than <see cref="ServerOptions.Timeout"/>.</param>
    /// <exception cref="ArgumentException">An option is not valid, or the variable of the API key is not set.</exception>
    public ServerSource(ServerOptions options, ITokenizer tokenizer, HttpClient? client = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(tokenizer);
        options.Validate();
        (this.options, this.tokenizer) = (options, tokenizer);
        connection = new ServerConnection(options, client);
        dialect = Dialect.Of(options.Protocol);
        delivery = new ServerDelivery(options, connection);
    }

    /// <inheritdoc/>
    public string Name => $"{options.Protocol} at {options.Address!.GetLeftPart(UriPartial.Path)}";

    /// <summary>Asks the server for its model, and compares its tokenizer with the policy's on some texts.</summary>
    /// <param name="texts">Texts that the policy's tokenizer can encode, such as prompts.</param>
    /// <param name="cancellation">Cancels.</param>
    /// <exception cref="HttpRequestException">The server cannot be reached.</exception>
    /// <exception cref="InvalidDataException">It has another model or another tokenizer; the message names both.</exception>
    public async Task CheckAsync(IReadOnlyList<string> texts, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        await checking.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            facts = await ServerCheck.RunAsync(options, connection, dialect, tokenizer, texts, cancellation).ConfigureAwait(false);
        }
        finally
        {
            checking.Release();
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The server cannot follow a sampling option, or the request is not valid.</exception>
    /// <exception cref="HttpRequestException">The server cannot be reached or refuses; the message names address and reason.</exception>
    /// <exception cref="InvalidDataException">The server has another model or tokenizer, or its answer lacks log-probs, or is not one to
    /// the request.</exception>
    /// <exception cref="TimeoutException">The server gave no answer in time.</exception>
    public async IAsyncEnumerable<RolloutSample> GenerateAsync(
        RolloutRequest request,
        [EnumeratorCancellation] CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(request);
        request.Validate();
        dialect.Require(request.Sampling, options.Distribution, Name);
        if (facts is null)
            await CheckAsync(Texts(request), cancellation).ConfigureAwait(false);
        var stops = new ServerStops(request.Sampling, tokenizer);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var finished = Channel.CreateUnbounded<RolloutSample>(new UnboundedChannelOptions { SingleReader = true });
        var asking = AskAllAsync(request, stops, finished.Writer, ending.Token);
        try
        {
            await foreach (var sample in finished.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
                yield return sample;
            await asking.ConfigureAwait(false);
        }
        finally
        {
            await ending.CancelAsync().ConfigureAwait(false);
            // Requests that are under way end before the source can be disposed.
            await asking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="HttpRequestException">The server cannot be reached, or did not load the weights.</exception>
    public Task UpdateAsync(CausalLm policy, long version, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(policy);
        return delivery.UpdateAsync(policy, version, cancellation);
    }

    /// <summary>Closes the connections. Weights that were delivered stay with the server.</summary>
    public void Dispose()
    {
        connection.Dispose();
        checking.Dispose();
    }

    // Never throws before its first await, and completes the channel in any case.
    private async Task AskAllAsync(
        RolloutRequest request,
        ServerStops stops,
        ChannelWriter<RolloutSample> finished,
        CancellationToken cancellation
    )
    {
        try
        {
            await Parallel
                .ForEachAsync(
                    Questions(request),
                    new ParallelOptions { MaxDegreeOfParallelism = options.RequestsInFlight, CancellationToken = cancellation },
                    async (question, token) =>
                    {
                        foreach (var sample in await AskAsync(request, question, stops, token).ConfigureAwait(false))
                            finished.TryWrite(sample);
                    }
                )
                .ConfigureAwait(false);
        }
        finally
        {
            finished.TryComplete();
        }
    }

    private async Task<RolloutSample[]> AskAsync(
        RolloutRequest request,
        ServerQuestion question,
        ServerStops stops,
        CancellationToken cancellation
    )
    {
        var model = delivery.Model ?? facts!.Model;
        var mostBytes = BytesOfAnswer + BytesPerToken * question.Count * question.Limit;
        var answers = await connection
            .AskAsync(
                dialect.Path,
                dialect.Body(question, request.Sampling, model),
                mostBytes,
                root => Complete(question, dialect.Read(root)),
                cancellation
            )
            .ConfigureAwait(false);
        var samples = new RolloutSample[answers.Count];
        for (var i = 0; i < samples.Length; i++)
        {
            var (tokens, logProbs, finish) = stops.Cut(answers[i], question.Limit);
            samples[i] = new RolloutSample(question.FirstRow + i, tokens, logProbs, finish)
            {
                Version = delivery.VersionOf(answers[i].Version, model, Name),
            };
            SampleCheck.Require(Name, request, samples[i]);
        }
        return samples;
    }

    // A server that was stopped gives up its requests half done.
    private static IReadOnlyList<ServerAnswer> Complete(ServerQuestion question, IReadOnlyList<ServerAnswer> answers)
    {
        if (answers.Count < question.Count)
            throw new ServerFailure($"the answer has {answers.Count} completions, expected {question.Count}");
        if (answers.Count > question.Count)
            throw new InvalidDataException($"the answer has {answers.Count} completions, expected {question.Count}");
        return answers.FirstOrDefault(answer => answer.Reason is not ("stop" or "length")) is { } wrong
            ? throw new ServerFailure($"a completion has the finish reason '{wrong.Reason}', expected stop or length")
            : answers;
    }

    // Equal prompts side by side, as many as a request may have.
    private IEnumerable<ServerQuestion> Questions(RolloutRequest request)
    {
        var most = options.CompletionsPerRequest ?? facts!.Slots ?? int.MaxValue;
        if (request.Sampling.RowSeeds is not null)
            most = 1;
        for (int first = 0, next; first < request.Prompts.Count; first = next)
        {
            var prompt = request.Prompts[first];
            next = first + 1;
            while (next < request.Prompts.Count && next - first < most && prompt.AsSpan().SequenceEqual(request.Prompts[next]))
                next++;
            var row = request.Sampling.RowSeeds?[first] ?? (ulong)(request.Sampling.FirstRow + first);
            var seed = (int)(CounterRandom.Bits(request.Seed, row) >> 33);
            yield return new ServerQuestion(first, next - first, prompt, request.LimitOf(first), seed);
        }
    }

    private string[] Texts(RolloutRequest request) =>
        [.. request.Prompts.DistinctBy(ids => ids.Length).Take(3).Select(ids => tokenizer.Decode(ids)).Where(text => text.Length > 0)];
}
