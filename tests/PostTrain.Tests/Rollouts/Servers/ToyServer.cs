using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Servers;
using PostTrain.Text;

namespace PostTrain.Tests.Rollouts.Servers;

/// <summary>A server of rollouts on this machine over a model of the test: the three interfaces, and what goes wrong with
/// servers.</summary>
internal sealed class ToyServer : IAsyncDisposable
{
    private readonly WebApplication application;
    private readonly SemaphoreSlim drawing = new(1, 1);
    private readonly ITokenizer tokenizer;
    private readonly CancellationTokenSource ending = new();
    private int received,
        answered,
        underWay,
        mostUnderWay;

    private ToyServer(WebApplication application, ToyModels models, ITokenizer tokenizer) =>
        (this.application, Models, this.tokenizer) = (application, models, tokenizer);

    internal ToyModels Models { get; }

    internal Uri Address => new(application.Urls.Single());

    /// <summary>What happens to the nth request for completions, from 0 on.</summary>
    internal Func<int, ToyFault> Faults { get; set; } = _ => ToyFault.None;

    /// <summary>Changes an answer before it is sent; called with the path.</summary>
    internal Func<string, JsonNode, JsonNode> Change { get; set; } = (_, answer) => answer;

    /// <summary>Replaces an answer as a whole; null leaves it.</summary>
    internal Func<string, (int Status, string Text)?> Replace { get; set; } = _ => null;

    /// <summary>Wait before an answer with completions, by the body of the request.</summary>
    internal Func<JsonNode, TimeSpan> Wait { get; set; } = _ => TimeSpan.Zero;

    /// <summary>Path and body of each request.</summary>
    internal ConcurrentQueue<(string Path, string Body)> Requests { get; } = new();

    /// <summary>Authorization of each request.</summary>
    internal ConcurrentQueue<string> Authorizations { get; } = new();

    /// <summary>Requests for completions that were answered.</summary>
    internal int Answered => answered;

    /// <summary>The most requests for completions at one time.</summary>
    internal int MostUnderWay => mostUnderWay;

    internal static async Task<ToyServer> StartAsync(CausalLm model, ITokenizer tokenizer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var application = builder.Build();
        var server = new ToyServer(application, new ToyModels(model), tokenizer);
        application.Run(server.AnswerAsync);
        await application.StartAsync();
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        await application.StopAsync(new CancellationToken(true));
        await application.DisposeAsync();
        Models.Dispose();
        ending.Dispose();
        drawing.Dispose();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        using var reader = new StreamReader(context.Request.Body);
        var text = await reader.ReadToEndAsync();
        Requests.Enqueue((path, text));
        Authorizations.Enqueue(context.Request.Headers.Authorization.ToString());
        if (Replace(path) is { } replaced)
        {
            context.Response.StatusCode = replaced.Status;
            if (replaced.Status is >= 300 and < 400)
                context.Response.Headers.Location = "/elsewhere";
            await context.Response.WriteAsync(replaced.Text);
            return;
        }
        var body = text.Length == 0 ? new JsonObject() : JsonNode.Parse(text)!;
        switch (path)
        {
            case "/v1/completions" or "/generate":
                await CompletionsAsync(context, path, body);
                break;
            case "/tokenize":
                var asked = (string)(body["prompt"] ?? body["content"])!;
                await SendAsync(context, path, new JsonObject { ["tokens"] = Ids(tokenizer.Encode(asked)) });
                break;
            case "/v1/load_lora_adapter" or "/load_lora_adapter":
                await TellAsync(context, Models.Load((string)body["lora_name"]!, (string)body["lora_path"]!));
                break;
            case "/v1/unload_lora_adapter" or "/unload_lora_adapter":
                await TellAsync(context, Models.Unload((string)body["lora_name"]!));
                break;
            case "/update_weights_from_disk":
                Models.Replace((string)body["model_path"]!);
                Models.Version = (string)body["weight_version"]!;
                await SendAsync(context, path, new JsonObject { ["success"] = true, ["message"] = "done" });
                break;
            case "/update_weight_version":
                Models.Version = (string)body["new_version"]!;
                await SendAsync(context, path, new JsonObject { ["success"] = true });
                break;
            case "/get_model_info":
                await SendAsync(context, path, new JsonObject { ["model_path"] = "toy", ["weight_version"] = Models.Version });
                break;
            case "/props":
                await SendAsync(context, path, new JsonObject { ["total_slots"] = 3 });
                break;
            case "/v1/models":
                await SendAsync(context, path, Listed());
                break;
            default:
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                break;
        }
    }

    private JsonObject Listed() =>
        new()
        {
            ["data"] = new JsonArray([
                new JsonObject
                {
                    ["id"] = "toy",
                    ["parent"] = null,
                    ["meta"] = new JsonObject { ["n_vocab"] = Models.Base.VocabularySize },
                },
                .. Models.Names.Select(name => new JsonObject { ["id"] = name, ["parent"] = "toy" }),
            ]),
        };

    private async Task CompletionsAsync(HttpContext context, string path, JsonNode body)
    {
        var number = Interlocked.Increment(ref received) - 1;
        var now = Interlocked.Increment(ref underWay);
        for (int most; now > (most = mostUnderWay) && Interlocked.CompareExchange(ref mostUnderWay, now, most) != most; ) { }
        try
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, ending.Token);
            await Task.Delay(Wait(body), stop.Token);
            var fault = Faults(number);
            switch (fault)
            {
                case ToyFault.InternalError:
                    context.Response.StatusCode = StatusCodes.Status500InternalServerError;
                    return;
                case ToyFault.TooManyRequests:
                    context.Response.StatusCode = StatusCodes.Status429TooManyRequests;
                    context.Response.Headers.RetryAfter = "0";
                    return;
                case ToyFault.DroppedConnection:
                    context.Abort();
                    return;
                case ToyFault.NoJson:
                    await context.Response.WriteAsync("<html>no gateway</html>");
                    return;
                case ToyFault.Never:
                    await Task.Delay(Timeout.Infinite, stop.Token);
                    return;
            }
            var answer =
                path == "/generate"
                    ? ToyAnswers.SgLang(await DrawAsync(body), Models.Version)
                    : ToyAnswers.OpenAi(await DrawAsync(body), body);
            if (fault == ToyFault.DroppedHalfway)
            {
                var whole = answer.ToJsonString();
                context.Response.ContentLength = whole.Length;
                await context.Response.WriteAsync(whole[..(whole.Length / 2)]);
                await context.Response.Body.FlushAsync();
                context.Abort();
                return;
            }
            if (fault == ToyFault.None)
                Interlocked.Increment(ref answered);
            await SendAsync(context, path, ToyAnswers.Spoilt(answer, fault));
        }
        catch (OperationCanceledException) { }
        finally
        {
            Interlocked.Decrement(ref underWay);
        }
    }

    // One draw at a time: the model is not for several threads.
    private async Task<IReadOnlyList<RolloutSample>> DrawAsync(JsonNode body)
    {
        var question = ToyAnswers.Question(body, tokenizer);
        await drawing.WaitAsync(ending.Token);
        try
        {
            return Models.Draw(question, (string?)(body["lora_path"] ?? body["model"]), tokenizer);
        }
        finally
        {
            drawing.Release();
        }
    }

    private async Task SendAsync(HttpContext context, string path, JsonNode answer)
    {
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(Change(path, answer).ToJsonString());
    }

    private static async Task TellAsync(HttpContext context, string? failure)
    {
        context.Response.StatusCode = failure is null ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest;
        await context.Response.WriteAsync(failure ?? "Success: done.");
    }

    internal static JsonArray Ids(IEnumerable<int> ids) => [.. ids.Select(id => (JsonNode)id)];
}
