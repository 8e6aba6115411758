using System.Text.Json.Nodes;
using PostTrain.Adapters;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Servers;
using PostTrain.Tests.Policy;
using PostTrain.Tests.Support;
using PostTrain.Training;

namespace PostTrain.Tests.Rollouts.Servers;

/// <summary>Weights that go to a server as files.</summary>
public sealed class ServerWeightsTests
{
    // Large steps, so that weights of another version would show.
    private static readonly GrpoOptions Options = GrpoRuns.Small with
    {
        Steps = 4,
        LearningRate = 0.1,
        Staleness = new StalenessLimits { MaximumGap = 1e-3 },
    };

    [Theory]
    [InlineData(ServerProtocol.Vllm)]
    [InlineData(ServerProtocol.SgLang)]
    public async Task Adapter_EachDrawHasTheLastUpdate(ServerProtocol protocol)
    {
        using var folder = new TemporaryDirectory();
        using var policy = Toy.Model();
        using var adapted = Attach(policy);
        using var served = Toy.Model();
        await using var server = await ToyServer.StartAsync(served, Toy.Tokenizer);
        // An earlier run has left something under a name of this one.
        var stale = folder.File("earlier");
        adapted.Save(stale);
        server.Models.Load("policy-2", stale);
        using var source = Source(server, protocol, ServerWeights.Adapter(adapted, folder.File("adapters")));
        var reports = await GrpoRuns.Train(policy, GrpoRuns.Even, Options with { Source = source });
        Assert.All(
            reports,
            report =>
            {
                Assert.InRange(report.Metrics["rollout/gap"], 0, 1e-4);
                Assert.Equal(0, report.Metrics["rollout/lag"]);
            }
        );
        Assert.Contains(reports, report => report.Metrics["grad_norm"] > 0);
        Assert.Equal(
            ["policy-2", "policy-0", "policy-1", "-policy-2", "policy-2", "-policy-0", "policy-3", "-policy-1"],
            server.Models.Loadings
        );
        Assert.Equal(
            ["policy-2", "policy-3"],
            Directory.GetDirectories(folder.File("adapters")).Select(Path.GetFileName).Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public async Task Model_EachDrawHasTheLastUpdate()
    {
        using var folder = new TemporaryDirectory();
        using var policy = Toy.Model();
        using var served = Toy.Model();
        await using var server = await ToyServer.StartAsync(served, Toy.Tokenizer);
        using var source = Source(server, ServerProtocol.SgLang, ServerWeights.Model(folder.File("models")));
        var reports = await GrpoRuns.Train(policy, GrpoRuns.Even, Options with { LearningRate = 0.01, Source = source });
        Assert.All(reports, report => Assert.InRange(report.Metrics["rollout/gap"], 0, 1e-4));
        Assert.All(reports, report => Assert.Equal(0, report.Metrics["rollout/lag"]));
        Assert.NotEqual(Toy.Bytes(served), Toy.Bytes(policy));
        Assert.Equal(2, Directory.GetDirectories(folder.File("models")).Length);
    }

    [Fact]
    public async Task OwnDelivery_NamesTheModelOfTheNextRequests()
    {
        using var policy = Toy.Model();
        await using var server = await ToyServer.StartAsync(policy, Toy.Tokenizer);
        var versions = new List<long>();
        using var source = Source(
            server,
            ServerProtocol.Vllm,
            ServerWeights.Of(
                (model, version, _) =>
                {
                    Assert.Same(policy, model);
                    versions.Add(version);
                    return Task.FromResult<string?>("toy");
                }
            )
        );
        var reports = await GrpoRuns.Train(policy, GrpoRuns.Even, Options with { Source = source });
        Assert.Equal([0, 1, 2, 3], versions);
        Assert.All(reports, report => Assert.Equal(0, report.Metrics["rollout/lag"]));
    }

    // A server that says that it loads and draws with what it had: the versions it tells are right, the log-probs are not.
    [Fact]
    public async Task ServerThatDoesNotLoad_IsFoundByTheGap()
    {
        using var folder = new TemporaryDirectory();
        using var policy = Toy.Model();
        using var adapted = Attach(policy);
        using var served = Toy.Model();
        await using var server = await ToyServer.StartAsync(served, Toy.Tokenizer);
        server.Models.IgnoresWeights = true;
        using var source = Source(server, ServerProtocol.Vllm, ServerWeights.Adapter(adapted, folder.File("adapters")));
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            GrpoRuns.Train(policy, GrpoRuns.Even, Options with { Source = source })
        );
        Assert.Contains("stale rollouts: log-probs of Vllm at http://127.0.0.1", error.Message, StringComparison.Ordinal);
        var reports = await GrpoRuns.Train(
            policy,
            GrpoRuns.Even,
            Options with
            {
                Source = source,
                Staleness = Options.Staleness with { Action = StalenessAction.Report },
            }
        );
        Assert.Contains(reports, report => report.Metrics.ContainsKey("rollout/stale"));
    }

    [Theory]
    [InlineData(ServerProtocol.Vllm, "\"policy-1\"", "drew with weights 1, the policy has 2")]
    [InlineData(ServerProtocol.Vllm, "\"policy-7\"", "drew with weights 7, the policy has 0")]
    [InlineData(ServerProtocol.Vllm, "\"toy\"", "answered with the model 'toy', expected 'policy-0'")]
    [InlineData(ServerProtocol.SgLang, "\"1\"", "drew with weights 1, the policy has 2")]
    public async Task ServerThatLiesAboutItsVersion_IsFound(ServerProtocol protocol, string told, string message)
    {
        using var folder = new TemporaryDirectory();
        using var policy = Toy.Model();
        using var adapted = Attach(policy);
        using var served = Toy.Model();
        await using var server = await ToyServer.StartAsync(served, Toy.Tokenizer);
        var draws = 0;
        server.Change = (path, answer) =>
        {
            if (path != ServerSourceTests.Path(protocol))
                return answer;
            // Two of a step; the weights of step 1 are right for step 1.
            var late = !message.Contains("has 2", StringComparison.Ordinal) || draws++ >= 4;
            foreach (var one in answer as JsonArray ?? [answer.DeepClone()])
            {
                if (late && protocol == ServerProtocol.SgLang)
                    one!["meta_info"]!["weight_version"] = JsonNode.Parse(told);
                else if (late)
                    answer["model"] = JsonNode.Parse(told);
            }
            return answer;
        };
        using var source = Source(server, protocol, ServerWeights.Adapter(adapted, folder.File("adapters")));
        var error = await Assert.ThrowsAnyAsync<Exception>(() => GrpoRuns.Train(policy, GrpoRuns.Even, Options with { Source = source }));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.True(error is InvalidOperationException or InvalidDataException, error.ToString());
    }

    [Fact]
    public async Task FailedLoad_NamesTheServersReason()
    {
        using var folder = new TemporaryDirectory();
        using var policy = Toy.Model();
        using var adapted = Attach(policy);
        await using var server = await ToyServer.StartAsync(policy, Toy.Tokenizer);
        using var source = Source(server, ServerProtocol.Vllm, ServerWeights.Adapter(adapted, folder.File("adapters"), "/not/here"));
        var error = await Assert.ThrowsAsync<HttpRequestException>(() =>
            GrpoRuns.Train(policy, GrpoRuns.Even, Options with { Source = source })
        );
        Assert.Contains(
            "/v1/load_lora_adapter: status 400 BadRequest: there is no adapter in /not/here/policy-0",
            error.Message,
            StringComparison.Ordinal
        );
        server.Replace = path => path == "/v1/load_lora_adapter" ? (200, """{"success": false, "message": "out of memory"}""") : null;
        error = await Assert.ThrowsAsync<HttpRequestException>(() => source.UpdateAsync(policy, 1));
        Assert.Contains("out of memory", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WeightsThatAServerCannotLoad_AreRefusedAtOnce()
    {
        using var policy = Toy.Model();
        using var adapted = Attach(policy);
        ArgumentException Refused(ServerProtocol protocol, ServerWeights weights) =>
            Assert.Throws<ArgumentException>(() =>
                new ServerSource(
                    new ServerOptions
                    {
                        Address = new Uri("http://localhost:1"),
                        Protocol = protocol,
                        Weights = weights,
                    },
                    Toy.Tokenizer
                )
            );
        Assert.Contains(
            "Weights are an adapter",
            Refused(ServerProtocol.Llama, ServerWeights.Adapter(adapted, "x")).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "Weights are a whole model",
            Refused(ServerProtocol.Vllm, ServerWeights.Model("x")).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => ServerWeights.Model("x", name: "a/b"));
        Assert.Throws<ArgumentException>(() => ServerWeights.Model("x", name: ".."));
    }

    private static AdaptedModel Attach(CausalLm policy) =>
        AdaptedModel.Attach(policy, new LoraOptions { Targets = ModuleSelection.AllLinear, Rank = 2 }, seed: 3);

    private static ServerSource Source(ToyServer server, ServerProtocol protocol, ServerWeights weights) =>
        new(ServerSourceTests.Options(server, protocol) with { Weights = weights }, Toy.Tokenizer);
}
