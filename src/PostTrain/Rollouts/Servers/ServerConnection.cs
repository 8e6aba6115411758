using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Polly;
using Polly.Retry;
using Polly.Timeout;

namespace PostTrain.Rollouts.Servers;

/// <summary>Requests to a server with time limits and retries. The key occurs in no message.</summary>
internal sealed class ServerConnection : IDisposable
{
    /// <summary>The most bytes of an answer that has no completions.</summary>
    internal const long SmallAnswer = 1 << 20;

    private const int QuotedCharacters = 300;

    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    private readonly ServerOptions options;
    private readonly HttpClient client;
    private readonly bool ownsClient;
    private readonly string? key;
    private readonly ResiliencePipeline pipeline;

    internal ServerConnection(ServerOptions options, HttpClient? client)
    {
        this.options = options;
        key = KeyOf(options.ApiKeyVariable);
        ownsClient = client is null;
        this.client = client ?? CreateClient(options);
        var builder = new ResiliencePipelineBuilder();
        if (options.Attempts > 1)
            builder.AddRetry(
                new RetryStrategyOptions
                {
                    MaxRetryAttempts = options.Attempts - 1,
                    Delay = options.RetryDelay,
                    MaxDelay = LongestWait,
                    BackoffType = DelayBackoffType.Exponential,
                    UseJitter = true,
                    ShouldHandle = new PredicateBuilder().Handle<ServerFailure>().Handle<TimeoutRejectedException>(),
                    DelayGenerator = static failed => ValueTask.FromResult((failed.Outcome.Exception as ServerFailure)?.Wait),
                }
            );
        pipeline = builder.AddTimeout(options.Timeout).Build();
    }

    /// <summary>Address of a path.</summary>
    internal Uri At(string path) => new(options.Address!.AbsoluteUri.TrimEnd('/') + path);

    /// <summary>Sends a request until an answer can be read, as often as the options allow.</summary>
    /// <param name="path">Path of the server.</param>
    /// <param name="body">Body of a POST; null for a GET.</param>
    /// <param name="mostBytes">The largest answer.</param>
    /// <param name="read">Reads the answer; throws <see cref="ServerFailure"/> where another attempt may help.</param>
    /// <param name="cancellation">Cancels.</param>
    /// <exception cref="HttpRequestException">No attempt succeeded, or the server refused; the message names address and
    /// reason.</exception>
    /// <exception cref="TimeoutException">No attempt got an answer in time.</exception>
    internal Task<T> AskAsync<T>(
        string path,
        JsonObject? body,
        long mostBytes,
        Func<JsonElement, T> read,
        CancellationToken cancellation
    ) =>
        RepeatedAsync(
            path,
            body,
            mostBytes,
            bytes =>
            {
                using var answer = Parsed(path, bytes);
                return read(answer.RootElement);
            },
            cancellation
        );

    /// <summary>Sends a command whose answer is a sentence, or JSON whose <c>success</c> says whether it was done.</summary>
    /// <exception cref="HttpRequestException">As <see cref="AskAsync"/>, or the server said that it failed.</exception>
    internal Task TellAsync(string path, JsonObject body, CancellationToken cancellation) =>
        RepeatedAsync(
            path,
            body,
            SmallAnswer,
            bytes =>
            {
                var text = Encoding.UTF8.GetString(bytes);
                return Succeeded(text) ? true : throw new HttpRequestException($"{At(path)}: the server did not do it: {Clean(text)}");
            },
            cancellation
        );

    private async Task<T> RepeatedAsync<T>(
        string path,
        JsonObject? body,
        long mostBytes,
        Func<byte[], T> read,
        CancellationToken cancellation
    )
    {
        try
        {
            return await pipeline
                .ExecuteAsync(async token => read(await OnceAsync(path, body, mostBytes, token).ConfigureAwait(false)), cancellation)
                .ConfigureAwait(false);
        }
        catch (ServerFailure failure)
        {
            throw new HttpRequestException($"{At(path)}: {failure.Message} ({Attempts})", failure.InnerException);
        }
        catch (TimeoutRejectedException)
        {
            throw new TimeoutException(
                FormattableString.Invariant($"{At(path)}: no answer within {options.Timeout.TotalSeconds} s ({Attempts})")
            );
        }
    }

    public void Dispose()
    {
        if (ownsClient)
            client.Dispose();
    }

    private string Attempts => options.Attempts == 1 ? "one attempt" : $"{options.Attempts} attempts";

    private async Task<byte[]> OnceAsync(string path, JsonObject? body, long mostBytes, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(body is null ? HttpMethod.Get : HttpMethod.Post, At(path));
        if (key is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        if (body is not null)
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        try
        {
            using var response = await client
                .SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation)
                .ConfigureAwait(false);
            await response.Content.LoadIntoBufferAsync(mostBytes, cancellation).ConfigureAwait(false);
            var bytes = await response.Content.ReadAsByteArrayAsync(cancellation).ConfigureAwait(false);
            if (!response.IsSuccessStatusCode)
                throw Refusal(path, response, bytes);
            return bytes;
        }
        catch (HttpRequestException exception) when (exception.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded)
        {
            throw new InvalidDataException($"{At(path)}: the answer is larger than {mostBytes} bytes, more than was asked for");
        }
        catch (OperationCanceledException exception) when (exception.InnerException is TimeoutException)
        {
            // The time limit of a client of the caller's.
            throw new ServerFailure(Clean(exception.Message));
        }
        catch (Exception exception) when (exception is IOException || exception is HttpRequestException { StatusCode: null })
        {
            throw new ServerFailure(Clean(exception.InnerException?.Message ?? exception.Message));
        }
    }

    private Exception Refusal(string path, HttpResponseMessage response, byte[] bytes)
    {
        var text = Clean(Encoding.UTF8.GetString(bytes));
        var message = $"status {(int)response.StatusCode} {response.StatusCode}: {text}";
        return
            response.StatusCode is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError
            ? new ServerFailure(message, WaitOf(response))
            : new HttpRequestException($"{At(path)}: {message}", null, response.StatusCode);
    }

    private JsonDocument Parsed(string path, byte[] bytes)
    {
        try
        {
            return JsonDocument.Parse(bytes);
        }
        catch (JsonException exception)
        {
            var text = Encoding.UTF8.GetString(bytes);
            if (text.Contains("NaN", StringComparison.Ordinal) && text.TrimEnd().EndsWith('}'))
                throw new InvalidDataException($"{At(path)}: the answer holds NaN, expected finite log-probs");
            throw new ServerFailure($"the answer is no JSON: {Clean(exception.Message)}: {Clean(text)}");
        }
    }

    private static bool Succeeded(string text)
    {
        if (!text.AsSpan().TrimStart().StartsWith('{'))
            return true;
        try
        {
            using var answer = JsonDocument.Parse(text);
            return !answer.RootElement.TryGetProperty("success", out var success) || success.ValueKind != JsonValueKind.False;
        }
        catch (JsonException)
        {
            return true;
        }
    }

    // At most some characters, on one line, without the key.
    private string Clean(string text)
    {
        if (key is not null)
            text = text.Replace(key, "***", StringComparison.Ordinal);
        text = text.ReplaceLineEndings(" ").Trim();
        return text.Length <= QuotedCharacters ? text : text[..QuotedCharacters] + "…";
    }

    private static TimeSpan? WaitOf(HttpResponseMessage response) =>
        response.Headers.RetryAfter switch
        {
            { Delta: { } delta } => delta < LongestWait ? delta : LongestWait,
            _ => null,
        };

    private static string? KeyOf(string? variable)
    {
        if (variable is null)
            return null;
        var value = Environment.GetEnvironmentVariable(variable);
        return string.IsNullOrWhiteSpace(value)
            ? throw new ArgumentException(
                $"the environment variable {variable} is not set, expected the API key of the server",
                nameof(variable)
            )
            : value.Trim();
    }

    private static HttpClient CreateClient(ServerOptions options) =>
        new(
            new SocketsHttpHandler
            {
                // A redirect could carry the key elsewhere.
                AllowAutoRedirect = false,
                ConnectTimeout = TimeSpan.FromSeconds(15),
                MaxConnectionsPerServer = options.RequestsInFlight,
                PooledConnectionLifetime = TimeSpan.FromMinutes(10),
            }
        )
        {
            Timeout = System.Threading.Timeout.InfiniteTimeSpan,
        };
}
