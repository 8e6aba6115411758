using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Servers;
using PostTrain.Tests.Policy;
using PostTrain.Tests.Support;
using PostTrain.Text;

namespace PostTrain.Tests.Rollouts.Servers;

/// <summary>Servers that are not there, not what they should be, or broken: one error, before a step is taken.</summary>
public sealed class BadServerTests
{
    public static TheoryData<string, string> Answers =>
        new()
        {
            { "no ids", "choices[0].token_ids is missing, expected an array" },
            { "text for an id", "choices[0].token_ids[0] is of kind String, expected a token id" },
            { "no log-probs", "choices[0].logprobs.token_logprobs is missing, expected an array" },
            { "null for a log-prob", "choices[0].logprobs.token_logprobs[0] is null, expected a log-prob" },
            { "NaN", "the answer holds NaN, expected finite log-probs" },
            { "id", "has the id 77 at token 0, expected ids from 0 to 19" },
            { "fewer log-probs", "log-probs for" },
            { "positive", "has the log-prob 2 at token 0" },
            { "longer", "tokens, expected at most 4" },
            { "more choices", "the answer has 5 completions, expected 4" },
            { "fewer choices", "the answer has 3 completions, expected 4 (2 attempts)" },
            { "no choices", "choices is missing, expected an array" },
            { "huge", "the answer is larger than" },
            { "html", "the answer is no JSON" },
            { "list", "choices is missing" },
            { "refusal", "status 400 BadRequest: prompt too long" },
            { "error", "status 503 ServiceUnavailable: loading (2 attempts)" },
        };

    [Theory]
    [MemberData(nameof(Answers))]
    public async Task WrongAnswer_IsNamed_BeforeAStep(string what, string message)
    {
        using var policy = Toy.Model();
        var before = Toy.Bytes(policy);
        await using var server = await ToyServer.StartAsync(policy, Toy.Tokenizer);
        server.Replace = path =>
            path != "/v1/completions"
                ? null
                : what switch
                {
                    "html" => (200, "<html></html>"),
                    "huge" => (200, new string(' ', 200_000)),
                    "list" => (200, "[1, 2]"),
                    "NaN" => (200, """{"choices":[{"token_ids":[1],"logprobs":{"token_logprobs":[NaN]}}]}"""),
                    "refusal" => (400, "prompt\ntoo long"),
                    "error" => (503, "loading"),
                    _ => null,
                };
        server.Change = (path, answer) =>
        {
            if (path != "/v1/completions")
                return answer;
            var choices = answer["choices"]!.AsArray();
            var (ids, logProbs) = (choices[0]!["token_ids"]!.AsArray(), choices[0]!["logprobs"]!["token_logprobs"]!.AsArray());
            switch (what)
            {
                case "no ids":
                    choices[0]!.AsObject().Remove("token_ids");
                    break;
                case "text for an id":
                    ids[0] = "a";
                    break;
                case "no log-probs":
                    choices[0]!.AsObject().Remove("logprobs");
                    break;
                case "null for a log-prob":
                    logProbs[0] = null;
                    break;
                case "id":
                    ids[0] = 77;
                    break;
                case "fewer log-probs":
                    logProbs.RemoveAt(0);
                    break;
                case "positive":
                    logProbs[0] = 2;
                    break;
                case "longer":
                    for (var i = 0; i < 5; i++)
                    {
                        ids.Add(3);
                        logProbs.Add(-1);
                    }
                    break;
                case "more choices":
                    choices.Add(choices[0]!.DeepClone());
                    break;
                case "fewer choices":
                    choices.RemoveAt(0);
                    break;
                case "no choices":
                    answer.AsObject().Remove("choices");
                    break;
            }
            return answer;
        };
        using var source = new ServerSource(ServerSourceTests.Options(server), Toy.Tokenizer);
        var error = await Failure(policy, source);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.True(error is InvalidDataException or HttpRequestException, error.ToString());
        Assert.Equal(before, Toy.Bytes(policy));
    }

    [Fact]
    public async Task UnreachableServer_IsNamed()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        using var policy = Toy.Model();
        var options = new ServerOptions
        {
            Address = new Uri($"http://127.0.0.1:{port}"),
            Attempts = 2,
            RetryDelay = TimeSpan.FromMilliseconds(1),
        };
        using var source = new ServerSource(options, Toy.Tokenizer);
        var error = Assert.IsType<HttpRequestException>(await Failure(policy, source));
        Assert.Contains($"http://127.0.0.1:{port}/v1/models: Connection refused (2 attempts)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ServerThatNeverAnswers_IsNamed()
    {
        using var policy = Toy.Model();
        await using var server = await ToyServer.StartAsync(policy, Toy.Tokenizer);
        server.Faults = _ => ToyFault.Never;
        using var source = new ServerSource(
            ServerSourceTests.Options(server) with
            {
                Timeout = TimeSpan.FromMilliseconds(200),
                Attempts = 1,
            },
            Toy.Tokenizer
        );
        var error = Assert.IsType<TimeoutException>(await Failure(policy, source));
        Assert.Contains("/v1/completions: no answer within 0.2 s (one attempt)", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ServerProtocol.Vllm, "the model 'other' is not there, expected one of 'toy'")]
    [InlineData(ServerProtocol.Llama, "the model 'other' is not there, expected one of 'toy'")]
    [InlineData(ServerProtocol.SgLang, "the model is 'toy', expected 'other'")]
    public async Task WrongModel_IsNamed(ServerProtocol protocol, string message)
    {
        using var policy = Toy.Model();
        await using var server = await ToyServer.StartAsync(policy, Toy.Tokenizer);
        using var source = new ServerSource(ServerSourceTests.Options(server, protocol) with { Model = "other" }, Toy.Tokenizer);
        Assert.Contains(message, (await Failure(policy, source)).Message, StringComparison.Ordinal);
        Assert.DoesNotContain(server.Requests, request => request.Path == ServerSourceTests.Path(protocol));
    }

    [Fact]
    public async Task SeveralModels_NeedAName()
    {
        using var policy = Toy.Model();
        await using var server = await ToyServer.StartAsync(policy, Toy.Tokenizer);
        server.Change = (path, answer) =>
        {
            if (path == "/v1/models")
                answer["data"]!.AsArray().Add(new JsonObject { ["id"] = "draft" });
            return answer;
        };
        using var source = new ServerSource(ServerSourceTests.Options(server), Toy.Tokenizer);
        Assert.Contains("there are the models 'toy', 'draft'", (await Failure(policy, source)).Message, StringComparison.Ordinal);
        using var named = new ServerSource(ServerSourceTests.Options(server) with { Model = "toy" }, Toy.Tokenizer);
        await named.CheckAsync(["1+1="]);
    }

    [Theory]
    [InlineData(ServerProtocol.Vllm)]
    [InlineData(ServerProtocol.SgLang)]
    [InlineData(ServerProtocol.Llama)]
    public async Task AnotherTokenizer_IsNamed(ServerProtocol protocol)
    {
        using var policy = Toy.Model();
        await using var server = await ToyServer.StartAsync(policy, new CharacterTokenizer("9876543210+=abcdef"));
        using var source = new ServerSource(ServerSourceTests.Options(server, protocol), Toy.Tokenizer);
        var error = Assert.IsType<InvalidDataException>(await Failure(policy, source));
        Assert.Contains("the model behind the server has another tokenizer", error.Message, StringComparison.Ordinal);
        // A server without the endpoint is believed.
        server.Replace = path => path == "/tokenize" ? (404, "") : null;
        await source.CheckAsync(["1+1="]);
    }

    [Fact]
    public async Task SmallerVocabulary_IsNamed()
    {
        using var policy = Toy.Model();
        await using var server = await ToyServer.StartAsync(policy, Toy.Tokenizer);
        server.Change = (path, answer) =>
        {
            if (path == "/v1/models")
                answer["data"]![0]!["meta"]!["n_vocab"] = 12;
            return answer;
        };
        using var source = new ServerSource(ServerSourceTests.Options(server, ServerProtocol.Llama), Toy.Tokenizer);
        Assert.Contains("has 12 tokens, the policy's tokenizer 20", (await Failure(policy, source)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OptionsThatAServerCannotFollow_AreNamed()
    {
        using var policy = Toy.Model();
        await using var server = await ToyServer.StartAsync(policy, Toy.Tokenizer);
        async Task<string> Refused(ServerProtocol protocol, SamplingOptions sampling)
        {
            using var source = new ServerSource(ServerSourceTests.Options(server, protocol), Toy.Tokenizer);
            return (
                await Assert.ThrowsAsync<ArgumentException>(() =>
                    source.CollectAsync(
                        RolloutRequest.Of(
                            policy,
                            [
                                [1],
                            ],
                            sampling,
                            0
                        )
                    )
                )
            ).Message;
        }

        var message = await Refused(
            ServerProtocol.Vllm,
            new()
            {
                TypicalP = 0.5,
                EtaCutoff = 0.1,
                Processors = [(scores, _, _) => scores],
            }
        );
        Assert.Contains("the sampling options TypicalP, EtaCutoff, Processors, expected their defaults", message, StringComparison.Ordinal);
        Assert.Contains("MinNewTokens", await Refused(ServerProtocol.Llama, new() { MinNewTokens = 2 }), StringComparison.Ordinal);
        Assert.Contains(
            "Sampling.Temperature is 0.7",
            await Refused(ServerProtocol.Vllm, new() { Temperature = 0.7 }),
            StringComparison.Ordinal
        );
        Assert.Empty(server.Requests);
        using var tempered = new ServerSource(ServerSourceTests.Options(server, ServerProtocol.SgLang), Toy.Tokenizer);
        await tempered.CollectAsync(
            RolloutRequest.Of(
                policy,
                [
                    [1],
                ],
                new SamplingOptions { Temperature = 0.7 },
                0
            )
        );
    }

    [Fact]
    public void WrongOptions_AreNamed()
    {
        var good = new ServerOptions { Address = new Uri("http://localhost:8000") };
        foreach (
            var (options, name) in new (ServerOptions, string)[]
            {
                (new ServerOptions(), "Address"),
                (good with { Address = new Uri("ftp://localhost") }, "Address"),
                (good with { Address = new Uri("http://user:hunter2@localhost") }, "Address"),
                (good with { Protocol = (ServerProtocol)9 }, "Protocol"),
                (good with { LogProbs = (ServerLogProbs)9 }, "LogProbs"),
                (good with { RequestsInFlight = 0 }, "RequestsInFlight"),
                (good with { CompletionsPerRequest = 0 }, "CompletionsPerRequest"),
                (good with { Attempts = 0 }, "Attempts"),
                (good with { Timeout = TimeSpan.Zero }, "Timeout"),
                (good with { RetryDelay = TimeSpan.Zero }, "RetryDelay"),
            }
        )
            Assert.Equal(name, Assert.ThrowsAny<ArgumentException>(() => new ServerSource(options, Toy.Tokenizer)).ParamName);
        Assert.DoesNotContain(
            "hunter2",
            Assert
                .ThrowsAny<ArgumentException>(() =>
                    new ServerSource(good with { Address = new Uri("http://user:hunter2@localhost") }, Toy.Tokenizer)
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    private static async Task<Exception> Failure(CausalLm policy, ServerSource source) =>
        await Assert.ThrowsAnyAsync<Exception>(() => GrpoRuns.Train(policy, GrpoRuns.Even, GrpoRuns.Small with { Source = source }));
}
