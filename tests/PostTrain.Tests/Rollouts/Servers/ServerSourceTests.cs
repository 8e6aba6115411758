using System.Text.Json.Nodes;
using PostTrain.Policy;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Servers;
using PostTrain.Tests.Policy;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Rollouts.Servers;

/// <summary>Rollouts over HTTP, from a server of the test.</summary>
public sealed class ServerSourceTests
{
    public static TheoryData<ServerProtocol> Protocols => [ServerProtocol.Vllm, ServerProtocol.SgLang, ServerProtocol.Llama];

    // A table of logits computes each row by itself, so that equal weights give equal bits in batches of any shape.
    private static BigramLm Table()
    {
        var model = new BigramLm();
        model.to(ScalarType.Float32);
        using (no_grad())
        using (NewDisposeScope())
            model.parameters().Single().copy_(Numbers.Uniform(3, 2, model.VocabularySize, model.VocabularySize));
        return model;
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task OnPolicy_RatioIsExactlyOne_ThroughJson(ServerProtocol protocol)
    {
        using var policy = Table();
        using var sampled = Table();
        await using var server = await ToyServer.StartAsync(policy, Toy.Tokenizer);
        using var source = new ServerSource(Options(server, protocol), Toy.Tokenizer);
        var options = GrpoRuns.Small with { Steps = 3, Source = source, Correction = ImportanceCorrection.Tis() };
        var before = Toy.Bytes(policy);
        var reports = await GrpoRuns.Train(policy, GrpoRuns.Even, options);
        Assert.NotEqual(before, Toy.Bytes(policy));
        Assert.All(
            reports,
            report =>
            {
                Assert.Equal(0, report.Metrics["rollout/gap"]);
                Assert.Equal(1, report.Metrics["correction/weight"]);
            }
        );
        // Groups of 4 completions: one request each, with llama.cpp one of 3, as many as there are slots, and one of 1.
        var (asked, path) = (server.Requests.Where(request => request.Path == Path(protocol)).ToArray(), Path(protocol));
        Assert.Equal(protocol == ServerProtocol.Llama ? 12 : 6, asked.Length);
        Assert.All(
            asked,
            request =>
                Assert.Contains("\"seed\":", request.Body.Replace("sampling_", "", StringComparison.Ordinal), StringComparison.Ordinal)
        );
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Completions_AreTheServersOwn_AndEndAtStops(ServerProtocol protocol)
    {
        using var model = Table();
        await using var server = await ToyServer.StartAsync(model, Toy.Tokenizer);
        using var source = new ServerSource(Options(server, protocol), Toy.Tokenizer);
        var sampling = new SamplingOptions { MaxNewTokens = 8, StopTokens = [Toy.Tokenizer.EndOfSequenceId!.Value, 2, 5, 7, 11, 13] };
        int[][] prompts =
        [
            [1],
            [1],
            [1],
            [3, 4],
            [3, 4],
            [6],
        ];
        var samples = await source.CollectAsync(RolloutRequest.Of(model, prompts, sampling, seed: 5));
        Assert.Contains(samples, sample => sample.Finish == RolloutFinish.Stop && sample.Tokens.Length < 8);
        foreach (var sample in samples)
        {
            Assert.DoesNotContain(sample.Tokens[..^1], token => sampling.StopTokens.Contains(token));
            Assert.Equal(sampling.StopTokens.Contains(sample.Tokens[^1]), sample.Finish == RolloutFinish.Stop);
            int[] ids = [.. prompts[sample.Row], .. sample.Tokens];
            var expected = Toy.LogProbs(model, ids);
            for (var i = 0; i < sample.Tokens.Length; i++)
                Assert.Equal(expected[prompts[sample.Row].Length - 1 + i][sample.Tokens[i]], sample.LogProbs[i], 1e-6);
        }
        // Other rows, other seeds.
        Assert.True(samples.Take(3).Select(sample => string.Join(",", sample.Tokens)).Distinct().Count() > 1);
    }

    // Token i is followed by token (i + 7) mod 20: a completion shows its prompt.
    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task ThousandRequests_WithFivePercentFaults_LoseAndDoubleNone(ServerProtocol protocol)
    {
        var size = Toy.Tokenizer.VocabularySize;
        var table = new float[size * size];
        for (var token = 0; token < size; token++)
            table[size * token + (token + 7) % size] = 100;
        using var model = new FixedLogits(tensor(table, [size, size]));
        await using var server = await ToyServer.StartAsync(model, Toy.Tokenizer);
        ToyFault[] kinds =
        [
            ToyFault.InternalError,
            ToyFault.TooManyRequests,
            ToyFault.DroppedConnection,
            ToyFault.DroppedHalfway,
            ToyFault.NoJson,
            ToyFault.FewerCompletions,
            ToyFault.Aborted,
            ToyFault.Never,
        ];
        var faults = 0;
        server.Faults = number =>
        {
            if (number % 20 != 7)
                return ToyFault.None;
            Interlocked.Increment(ref faults);
            return kinds[number / 20 % kinds.Length];
        };
        var options = Options(server, protocol) with
        {
            Attempts = 8,
            RetryDelay = TimeSpan.FromMilliseconds(1),
            Timeout = TimeSpan.FromSeconds(2),
            RequestsInFlight = 16,
        };
        using var source = new ServerSource(options, Toy.Tokenizer);
        int[][] prompts = [.. Enumerable.Range(0, 1000).Select(row => new[] { row % 7, row % 3, row % size })];
        var request = RolloutRequest.Of(model, prompts, new SamplingOptions { MaxNewTokens = 3 }, seed: 1);
        var counts = new int[prompts.Length];
        await foreach (var sample in source.GenerateAsync(request))
        {
            counts[sample.Row]++;
            var last = prompts[sample.Row][^1];
            int[] chain = [(last + 7) % size, (last + 14) % size, (last + 21) % size];
            // llama.cpp's server ends at the model's own end.
            var end = protocol == ServerProtocol.Llama ? Array.IndexOf(chain, Toy.Tokenizer.EndOfSequenceId!.Value) : -1;
            Assert.Equal(end < 0 ? chain : chain[..(end + 1)], sample.Tokens);
        }
        Assert.All(counts, count => Assert.Equal(1, count));
        Assert.InRange(faults, 50, 60);
        Assert.Equal(1000, server.Answered);
    }

    [Fact]
    public async Task RequestsInFlight_AreBounded()
    {
        using var model = Table();
        await using var server = await ToyServer.StartAsync(model, Toy.Tokenizer);
        server.Wait = _ => TimeSpan.FromMilliseconds(20);
        using var source = new ServerSource(Options(server) with { RequestsInFlight = 3 }, Toy.Tokenizer);
        int[][] prompts = [.. Enumerable.Range(0, 19).Select(row => new[] { row, row })];
        await source.CollectAsync(RolloutRequest.Of(model, prompts, new SamplingOptions { MaxNewTokens = 2 }, seed: 1));
        Assert.Equal((19, 3), (server.Answered, server.MostUnderWay));
    }

    [Fact]
    public async Task Completions_ComeBeforeTheLastRequestIsAnswered()
    {
        using var model = Table();
        await using var server = await ToyServer.StartAsync(model, Toy.Tokenizer);
        using var source = new ServerSource(Options(server), Toy.Tokenizer);
        // The first prompt waits for ever, the others do not: leaving the enumeration gives the waiting request up.
        server.Wait = body => (int)body["prompt"]![0]! == 1 ? Timeout.InfiniteTimeSpan : TimeSpan.Zero;
        var request = RolloutRequest.Of(
            model,
            [
                [1],
                [3],
                [4],
            ],
            new SamplingOptions { MaxNewTokens = 2 },
            seed: 1
        );
        var rows = new List<int>();
        await foreach (var sample in source.GenerateAsync(request))
        {
            rows.Add(sample.Row);
            if (rows.Count == 2)
                break;
        }
        Assert.Equal([1, 2], rows.Order());
    }

    [Fact]
    public async Task Cancellation_EndsWaitingRequests()
    {
        using var model = Table();
        await using var server = await ToyServer.StartAsync(model, Toy.Tokenizer);
        server.Wait = _ => Timeout.InfiniteTimeSpan;
        using var source = new ServerSource(Options(server), Toy.Tokenizer);
        using var cancellation = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        var request = RolloutRequest.Of(
            model,
            [
                [1],
                [3],
            ],
            new SamplingOptions(),
            seed: 1
        );
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => source.CollectAsync(request, cancellation.Token));
    }

    [Fact]
    public async Task Key_IsSent_AndIsInNoMessage()
    {
        const string Variable = "POSTTRAIN_TEST_SERVER_KEY",
            Key = "sk-4711-secret-of-the-test";
        Environment.SetEnvironmentVariable(Variable, Key);
        using var model = Table();
        await using var server = await ToyServer.StartAsync(model, Toy.Tokenizer);
        var options = Options(server) with { ApiKeyVariable = Variable };
        using var source = new ServerSource(options, Toy.Tokenizer);
        var request = RolloutRequest.Of(
            model,
            [
                [1],
            ],
            new SamplingOptions(),
            seed: 1
        );
        await source.CollectAsync(request);
        Assert.All(server.Authorizations, sent => Assert.Equal($"Bearer {Key}", sent));
        // A server that repeats what it got.
        foreach (var status in (int[])[400, 401, 500])
        {
            server.Replace = path => path == "/v1/completions" ? (status, $"wrong key: Bearer {Key}") : null;
            var error = await Assert.ThrowsAsync<HttpRequestException>(() => source.CollectAsync(request));
            Assert.Contains("wrong key: Bearer ***", error.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(Key, error.ToString(), StringComparison.Ordinal);
        }
        server.Replace = path => (200, $"no json, {Key}");
        Assert.DoesNotContain(
            Key,
            (await Assert.ThrowsAsync<HttpRequestException>(() => source.CollectAsync(request))).ToString(),
            StringComparison.Ordinal
        );
        Assert.DoesNotContain(Key, $"{options} {source.Name} {source}", StringComparison.Ordinal);
        Environment.SetEnvironmentVariable(Variable, null);
        Assert.Contains(
            Variable,
            Assert.Throws<ArgumentException>(() => new ServerSource(options, Toy.Tokenizer)).Message,
            StringComparison.Ordinal
        );
    }

    // A redirect would carry the key elsewhere.
    [Fact]
    public async Task Redirect_IsNotFollowed()
    {
        using var model = Table();
        await using var server = await ToyServer.StartAsync(model, Toy.Tokenizer);
        server.Replace = path => path == "/v1/completions" ? (307, "") : null;
        using var source = new ServerSource(Options(server), Toy.Tokenizer);
        var request = RolloutRequest.Of(
            model,
            [
                [1],
            ],
            new SamplingOptions(),
            seed: 1
        );
        var error = await Assert.ThrowsAsync<HttpRequestException>(() => source.CollectAsync(request));
        Assert.Contains("status 307", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(server.Requests, asked => asked.Path == "/elsewhere");
    }

    [Fact]
    public async Task Body_FollowsTheOptions()
    {
        using var model = Table();
        await using var server = await ToyServer.StartAsync(model, Toy.Tokenizer);
        var sampling = new SamplingOptions
        {
            TopK = 9,
            TopP = 0.5,
            MinP = 0.25,
            RepetitionPenalty = 1.5,
            MaxNewTokens = 4,
            MinNewTokens = 1,
            StopTokens = [2],
            SuppressedTokens = [5],
            SequenceBiases = [new([6], 1.5)],
        };
        using var source = new ServerSource(Options(server), Toy.Tokenizer);
        await source.CollectAsync(
            RolloutRequest.Of(
                model,
                [
                    [1, 4],
                    [1, 4],
                ],
                sampling,
                seed: 1
            )
        );
        var body = JsonNode.Parse(server.Requests.Single(request => request.Path == "/v1/completions").Body)!.AsObject();
        body.Remove("seed");
        Assert.True(
            JsonNode.DeepEquals(
                JsonNode.Parse(
                    """
                    {"model":"toy","prompt":[1,4],"n":2,"max_tokens":4,"min_tokens":1,"temperature":1,"top_p":0.5,"top_k":9,"min_p":0.25,
                    "repetition_penalty":1.5,"logprobs":0,"return_token_ids":true,"ignore_eos":true,"stop_token_ids":[2],
                    "skip_special_tokens":false,"logit_bias":{"6":1.5,"5":-100}}
                    """
                ),
                body
            ),
            body.ToJsonString()
        );
    }

    /// <summary>Options for a server of the test: attempts without waits.</summary>
    internal static ServerOptions Options(ToyServer server, ServerProtocol protocol = ServerProtocol.Vllm) =>
        new()
        {
            Address = server.Address,
            Protocol = protocol,
            Attempts = 2,
            RetryDelay = TimeSpan.FromMilliseconds(1),
        };

    internal static string Path(ServerProtocol protocol) => protocol == ServerProtocol.SgLang ? "/generate" : "/v1/completions";
}
