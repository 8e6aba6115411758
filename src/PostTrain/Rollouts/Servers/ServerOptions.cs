using PostTrain.Numerics;

namespace PostTrain.Rollouts.Servers;

/// <summary>Options of a <see cref="ServerSource"/>.</summary>
public sealed record ServerOptions
{
    /// <summary>Root of the server, such as <c>http://localhost:8000</c>, without <c>/v1</c>. Required.</summary>
    public Uri? Address { get; init; }

    /// <summary>Interface of the server.</summary>
    /// <value>The default is <see cref="ServerProtocol.Vllm"/>.</value>
    public ServerProtocol Protocol { get; init; } = ServerProtocol.Vllm;

    /// <summary>Name of the model behind the server.</summary>
    /// <value>The default is null: the only one that it has.</value>
    public string? Model { get; init; }

    /// <summary>Name of the environment variable that holds the API key. The key is sent as a bearer token, and occurs in no
    /// message.</summary>
    /// <value>The default is null: no key.</value>
    public string? ApiKeyVariable { get; init; }

    /// <summary>The most requests in flight, at least 1.</summary>
    /// <value>The default is 32.</value>
    public int RequestsInFlight { get; init; } = 32;

    /// <summary>The most completions of one request (<c>n</c>), at least 1; larger groups take several.</summary>
    /// <value>The default is null: a whole group, with llama.cpp as many as the server has slots.</value>
    public int? CompletionsPerRequest { get; init; }

    /// <summary>The longest time of an attempt, above 0.</summary>
    /// <value>The default is 10 minutes.</value>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Attempts of a request, at least 1. Failed connections, timeouts, broken answers, and the statuses 408, 429 and 5xx are
    /// tried again; what the server refuses is not.</summary>
    /// <value>The default is 5.</value>
    public int Attempts { get; init; } = 5;

    /// <summary>Wait before the second attempt, above 0; doubled for each further one, with jitter, at most 30 s. A server's
    /// <c>Retry-After</c> takes its place.</summary>
    /// <value>The default is 0.5 s.</value>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(0.5);

    /// <summary>Distribution of the server's log-probs.</summary>
    /// <value>The default is null: <see cref="ServerLogProbs.Tempered"/> for SGLang, otherwise <see cref="ServerLogProbs.Raw"/>.</value>
    public ServerLogProbs? LogProbs { get; init; }

    /// <summary>True to compare the server's tokenizer with the policy's before the first draw, if the server has
    /// <c>/tokenize</c>.</summary>
    /// <value>The default is true.</value>
    public bool ChecksTokenizer { get; init; } = true;

    /// <summary>Way of the policy's weights to the server.</summary>
    /// <value>The default is null: the server keeps the weights that it has.</value>
    public ServerWeights? Weights { get; init; }

    /// <summary>Distribution of the log-probs, by the protocol where it is not given.</summary>
    internal ServerLogProbs Distribution => LogProbs ?? (Protocol == ServerProtocol.SgLang ? ServerLogProbs.Tempered : ServerLogProbs.Raw);

    /// <exception cref="ArgumentException">An option is out of range; the message names it.</exception>
    internal void Validate()
    {
        if (Address is not { IsAbsoluteUri: true, Scheme: "http" or "https" })
            throw new ArgumentException($"Address is '{Address}', expected an http or https address", nameof(Address));
        if (Address.UserInfo.Length > 0)
            throw new ArgumentException("Address holds a user name or password, expected none: see ApiKeyVariable", nameof(Address));
        if (!Enum.IsDefined(Protocol))
            throw new ArgumentOutOfRangeException(nameof(Protocol), Protocol, "Protocol must be one of the enumeration's");
        if (LogProbs is { } distribution && !Enum.IsDefined(distribution))
            throw new ArgumentOutOfRangeException(nameof(LogProbs), distribution, "LogProbs must be one of the enumeration's");
        Guard.AtLeast(RequestsInFlight, 1, nameof(RequestsInFlight));
        if (CompletionsPerRequest is { } count)
            Guard.AtLeast(count, 1, nameof(CompletionsPerRequest));
        Guard.AtLeast(Attempts, 1, nameof(Attempts));
        if (Timeout <= TimeSpan.Zero || Timeout > TimeSpan.FromDays(1))
            throw new ArgumentOutOfRangeException(nameof(Timeout), Timeout, "Timeout must be above 0 and at most a day");
        if (RetryDelay <= TimeSpan.Zero || RetryDelay > TimeSpan.FromDays(1))
            throw new ArgumentOutOfRangeException(nameof(RetryDelay), RetryDelay, "RetryDelay must be above 0 and at most a day");
        Weights?.Validate(Protocol);
    }
}
