using System.Text.Json;
using PostTrain.Adapters;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Gguf;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using Xunit.Abstractions;
using static TorchSharp.torch;

namespace PostTrain.LlamaSharp.Tests;

/// <summary>Rollouts on llama.cpp against the library's own sampler.</summary>
public sealed class LlamaSourceTests(ITestOutputHelper output)
{
    private static readonly string Model = Path.Combine(RepositoryFolder.Root, "samples", "models", "arithmetic-base");
    private static readonly string[] Prompts = ["100+223=", "100+223=", "100+223=", "457+88=", "31+31=", "31+31=", "7+"];

    [RealModelFact]
    public async Task GreedyText_OfAPretrainedModel_EqualsTheReference()
    {
        using var source = new LlamaSource(
            new LlamaOptions { ModelDirectory = RealModels.PathOf("stories260K-hf") },
            TokenizerFiles.Load(RealModels.PathOf("stories260K-hf"))
        );
        using var model = Pretrained.Load(RealModels.PathOf("stories260K-hf"));
        using var json = JsonDocument.Parse(File.ReadAllBytes(RealModels.PathOf("golden.json")));
        var cases = json.RootElement.GetProperty("stories260K").EnumerateArray().ToList();
        Assert.NotEmpty(cases);
        int[] Ids(JsonElement item, string name) => [.. item.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];
        var sampling = new SamplingOptions
        {
            Temperature = 0,
            MaxNewTokens = 60,
            StopTokens = [1, 2],
        };
        int[][] prompts = [.. cases.Select(item => Ids(item, "ids"))];
        var samples = await source.CollectAsync(RolloutRequest.Of(model, prompts, sampling, seed: 0));
        foreach (var (item, sample) in cases.Zip(samples))
        {
            var expected = Ids(item, "greedy");
            Assert.True(sample.Tokens.Length >= 15);
            Assert.Equal(expected.Take(sample.Tokens.Length), sample.Tokens.Take(expected.Length));
        }
        AssertLogProbs(model, prompts, samples, sampling);
    }

    // The same random numbers on scores that differ by rounding: the same tokens.
    [Theory]
    [InlineData(64, 1.0, 1.0)]
    [InlineData(3, 1.0, 1.0)]
    [InlineData(64, 0.8, 0.7)]
    public async Task Samples_EqualTheSamplers_WithSharedPrompts(int sequences, double temperature, double topP)
    {
        using var model = Pretrained.Load(Model);
        var tokenizer = TokenizerFiles.Load(Model);
        using var source = Source(new LlamaOptions { Sequences = sequences });
        int[][] prompts = [.. Prompts.Select(prompt => tokenizer.Encode(prompt))];
        var sampling = new SamplingOptions
        {
            Temperature = temperature,
            TopP = topP,
            MaxNewTokens = 24,
            Recording = LogProbRecording.Drawn,
        }.StoppingAt(model, tokenizer);
        var request = RolloutRequest.Of(model, prompts, sampling, seed: 11);
        var samples = await source.CollectAsync(request);
        var expected = await RolloutSource.Of(model, tokenizer).CollectAsync(request);
        foreach (var (ours, theirs) in expected.Zip(samples))
        {
            Assert.Equal(ours.Tokens, theirs.Tokens);
            Assert.Equal(ours.Finish, theirs.Finish);
            Assert.All(ours.LogProbs.Zip(theirs.LogProbs), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
            Assert.Equal(topP == 1, theirs.KeptMass is null);
            if (ours.KeptMass is { } kept)
                Assert.All(kept.Zip(theirs.KeptMass!), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
        }
        Assert.Contains(samples, sample => sample.Finish == RolloutFinish.Stop);
        AssertLogProbs(model, prompts, samples, sampling);
    }

    [Fact]
    public async Task OptionsThatLookBack_ActAsInTheSampler()
    {
        using var model = Pretrained.Load(Model);
        var tokenizer = TokenizerFiles.Load(Model);
        using var source = Source(new LlamaOptions());
        int[][] prompts = [.. Prompts.Select(prompt => tokenizer.Encode(prompt))];
        var sampling = new SamplingOptions
        {
            MaxNewTokens = 12,
            MinNewTokens = 3,
            RepetitionPenalty = 1.3,
            NoRepeatNGramSize = 3,
            SuppressedTokens = [0],
            StopStrings = ["</answer>"],
            Rules = [(completion, drawn) => completion.Length == 1 ? [drawn, drawn] : null],
        };
        var request = RolloutRequest.Of(model, prompts, sampling, seed: 2);
        var expected = await RolloutSource.Of(model, tokenizer).CollectAsync(request);
        var samples = await source.CollectAsync(request);
        Assert.Equal(expected.Select(sample => sample.Tokens), samples.Select(sample => sample.Tokens));
        Assert.Equal(expected.Select(sample => sample.Finish), samples.Select(sample => sample.Finish));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Training_EachDrawHasTheLastUpdate(bool withAdapter)
    {
        using var model = Pretrained.Load(Model);
        using var adapted = withAdapter
            ? AdaptedModel.Attach(model, new LoraOptions { Targets = ModuleSelection.AllLinear, Rank = 4 }, seed: 1)
            : null;
        using var folder = new TemporaryDirectory();
        using (var source = Source(new LlamaOptions { Adapter = adapted, Folder = folder.File("llama") }))
        {
            var reports = await Train(model, source, seed: 1, steps: 4, rate: withAdapter ? 2e-2 : 3e-3);
            foreach (var report in reports)
            {
                output.WriteLine($"{report.Step}: gap {report.Metrics["rollout/gap"]:E1}");
                Assert.InRange(report.Metrics["rollout/gap"], 0, 1e-4);
                Assert.Equal(0, report.Metrics["rollout/lag"]);
                Assert.True(report.Metrics["grad_norm"] > 0);
            }
        }
        Assert.Empty(Directory.GetDirectories(folder.File("llama")));
    }

    [Fact]
    public async Task WrongModelsAndOptions_AreNamed()
    {
        var tokenizer = TokenizerFiles.Load(Model);
        foreach (
            var (options, name) in new (LlamaOptions, string)[]
            {
                (new LlamaOptions(), "ModelDirectory"),
                (new LlamaOptions { ModelDirectory = Model, Sequences = 0 }, "Sequences"),
                (new LlamaOptions { ModelDirectory = Model, Threads = 0 }, "Threads"),
                (new LlamaOptions { ModelDirectory = Model, GpuLayers = -1 }, "GpuLayers"),
                (new LlamaOptions { ModelDirectory = Model, Type = (GgufType)99 }, "Type"),
            }
        )
            Assert.Equal(name, Assert.ThrowsAny<ArgumentException>(() => new LlamaSource(options, tokenizer)).ParamName);

        using var source = Source(new LlamaOptions());
        var request = new RolloutRequest(
            [
                [1],
            ],
            new SamplingOptions { MaxNewTokens = 2 },
            0
        );
        var error = await Assert.ThrowsAsync<ArgumentException>(() => source.CollectAsync(request with { VocabularySize = 32000 }));
        Assert.Contains("a vocabulary of 32000 tokens, the model in llama.cpp 19", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>(() =>
            source.CollectAsync(
                request with
                {
                    Prompts =
                    [
                        [19],
                    ],
                }
            )
        );
        // A policy with an adapter cannot be written as a whole.
        using var model = Pretrained.Load(Model);
        using var adapted = AdaptedModel.Attach(model, new LoraOptions { Targets = ModuleSelection.AllLinear });
        await Assert.ThrowsAsync<ArgumentException>(() => source.UpdateAsync(model, 1));
    }

    // Fewer bits, llama.cpp's defaults, and token weights for the difference, against the library's sampler: the same problems and seeds.
    [MeasurementFact]
    public async Task Training_LearnsAsMuchAsWithTheSampler()
    {
        var differences = new List<double>();
        foreach (var seed in (ulong[])[1, 2, 3, 4, 5])
        {
            var (ours, before) = await Accuracy(seed, null);
            using var source = Source(new LlamaOptions { Type = GgufType.F16, IsExact = false });
            var (theirs, _) = await Accuracy(seed, source);
            output.WriteLine($"seed {seed}: before {before:F3}, sampler {ours:F3}, llama.cpp {theirs:F3}");
            differences.Add(theirs - ours);
        }
        var mean = differences.Average();
        // Student's t for 4 degrees of freedom.
        var half = 2.776 * Math.Sqrt(differences.Sum(value => (value - mean) * (value - mean)) / 4 / 5);
        output.WriteLine($"llama.cpp - sampler: {mean:F3} ± {half:F3} (95 %, five paired seeds)");
        Assert.InRange(mean, -0.05, 0.05);

        async Task<(double After, double Before)> Accuracy(ulong seed, IRolloutSource? source)
        {
            using var model = Pretrained.Load(Model);
            var before = await Correct(model);
            var reports = await Train(model, source, seed, steps: 40, rate: 1e-3);
            if (source is not null)
                output.WriteLine(
                    $"  gap {reports.Average(report => report.Metrics["rollout/gap"]):E1}, reward {reports[^1].Metrics["reward/mean"]:F3}"
                );
            return (await Correct(model), before);
        }
    }

    private static async Task<double> Correct(CausalLm model)
    {
        var tokenizer = TokenizerFiles.Load(Model);
        var problems = Problems(400, seed: 99);
        var sampling = new SamplingOptions { MaxNewTokens = 48 }.StoppingAt(model, tokenizer);
        var request = RolloutRequest.Of(model, [.. problems.Select(problem => tokenizer.Encode(problem.Prompt))], sampling, seed: 5);
        var samples = await RolloutSource.Of(model, tokenizer).CollectAsync(request);
        return problems
            .Zip(
                samples,
                (problem, sample) =>
                    tokenizer.Decode(sample.Tokens, false).Contains($"<answer>{problem.Answer}</answer>", StringComparison.Ordinal)
            )
            .Average(right => right ? 1.0 : 0.0);
    }

    private static async Task<StepReport[]> Train(CausalLm model, IRolloutSource? source, ulong seed, int steps, double rate)
    {
        var tokenizer = TokenizerFiles.Load(Model);
        var reward = Reward.Of(
            "answer",
            completion =>
                tokenizer
                    .Decode(completion.Tokens, false)
                    .Contains($"<answer>{completion.Problem.Answer}</answer>", StringComparison.Ordinal)
                    ? 1
                    : 0
        );
        var options = new GrpoOptions
        {
            Steps = steps,
            BatchSize = 16,
            GroupSize = 8,
            LearningRate = rate,
            Seed = seed,
            Source = source,
            Correction = source is null ? null : ImportanceCorrection.Tis(),
            Sampling = new SamplingOptions { MaxNewTokens = 48 },
        };
        using var trainer = new GrpoTrainer(model, tokenizer, reward, options);
        var reports = new List<StepReport>();
        await foreach (var report in trainer.RunAsync(Problems(200, seed)))
            reports.Add(report);
        return [.. reports];
    }

    private static Problem[] Problems(int count, ulong seed)
    {
        var random = new Random((int)seed);
        return
        [
            .. Enumerable
                .Range(0, count)
                .Select(_ => (A: random.Next(100, 1000), B: random.Next(100, 1000)))
                .Select(pair => new Problem($"{pair.A}+{pair.B}=", $"{pair.A + pair.B}")),
        ];
    }

    private static LlamaSource Source(LlamaOptions options) =>
        new(options with { ModelDirectory = Model, Threads = 2 }, TokenizerFiles.Load(Model));

    // Log-probs of the policy, in one pass, of what llama.cpp drew.
    private static void AssertLogProbs(CausalLm model, int[][] prompts, IReadOnlyList<RolloutSample> samples, SamplingOptions sampling)
    {
        using var batch = RolloutBatch.Of(prompts, samples, paddingId: 0);
        using var scope = NewDisposeScope();
        var difference = (batch.Score(model, sampling) - batch.LogProbs).abs().max().ToDouble();
        Assert.InRange(difference, 0, 1e-4);
    }
}
