using PostTrain.Adapters.Prompts;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Search;
using PostTrain.Tests.Models;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Search;

/// <summary>Steps from a model: what is copied from the rounds before gives what computing it again gives, whatever stands
/// beside.</summary>
public sealed class SamplerStepsTests
{
    private static readonly CharacterTokenizer Tokenizer = new("0123456789+=;abcdefgh");
    private static readonly StepOptions Options = new()
    {
        Separators = [";", "0", "3"],
        MaxStepTokens = 4,
        Sampling = new SamplingOptions { MaxNewTokens = 16, Temperature = 1.2 },
    };

    public static TheoryData<string> Architectures => new("llama", "gpt2", "mistral", "qwen2", "qwen3", "gemma2");

    [Theory]
    [MemberData(nameof(Architectures))]
    public async Task ToEnd_IsTheSamplersCompletion(string name)
    {
        using var model = TinyModels.Create(name);
        using var steps = StepGenerator.Of(model, Tokenizer, Options);
        Problem[] problems = [new("12+3="), new("7"), new("abcdefgh"), new("7")];
        StepRequest[] requests =
        [
            .. problems.Select((problem, i) => new StepRequest(PartialSolution.Start(problem), (ulong)i * 77) { ToEnd = true }),
        ];
        var drawn = await steps.ContinueAsync(requests);
        using var rollouts = Sampler.Generate(
            model,
            [.. problems.Select(problem => Tokenizer.Encode(problem.Prompt))],
            Options.Sampling.StoppingAt(model, Tokenizer) with
            {
                RowSeeds = [.. requests.Select(request => request.Seed)],
            },
            seed: 0,
            Tokenizer
        );
        for (var i = 0; i < problems.Length; i++)
        {
            Assert.Equal(rollouts.Completions[i], drawn[i].Tokens);
            Assert.Equal(rollouts.Finished[i] ? StepEnd.Finished : StepEnd.CutOff, drawn[i].End);
            Assert.Equal(Tokenizer.Decode(rollouts.Completions[i]), drawn[i].Text);
            Assert.Equal(rollouts.LogProbs[i].sum().ToDouble(), drawn[i].LogProb!.Value, 9);
        }
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public async Task KeptBranches_GiveWhatComputingAgainGives(string name)
    {
        using var model = TinyModels.Create(name);
        using var kept = StepGenerator.Of(model, Tokenizer, Options);
        using var forgetful = StepGenerator.Of(model, Tokenizer, Options with { CacheBytes = 0 });
        var (first, second) = (await GrowAsync(kept, together: true), await GrowAsync(forgetful, together: true));
        var alone = await GrowAsync(forgetful, together: false);
        Assert.True(first.Count > 40);
        Assert.Equal(first.Select(step => step.Text), second.Select(step => step.Text));
        Assert.Equal(first.Select(step => step.Text), alone.Select(step => step.Text));
        Assert.Equal(first.Select(step => step.End), second.Select(step => step.End));
        foreach (var (a, b) in first.Zip(second))
        {
            Assert.Equal(a.Tokens, b.Tokens);
            Assert.Equal(a.LogProb!.Value, b.LogProb!.Value, 12);
        }

        // Two prompts, each once without its last token; what was forgotten is run again.
        Assert.Equal(Tokenizer.Encode("12+3=").Length + Tokenizer.Encode("7+").Length - 2, kept.PrefilledTokens);
        Assert.True(forgetful.PrefilledTokens > 20 * kept.PrefilledTokens);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task SoftPrompts_ArePartOfWhatIsKept(bool prefix)
    {
        using var model = (Decoder)TinyModels.Create("llama");
        using CausalLm prompted = prefix
            ? new PrefixLm(model, PrefixLm.FromTokens(model, [3, 5]))
            : new SoftPromptLm(model, new PromptTable(randn(2, model.HiddenSize, dtype: ScalarType.Float64)));
        using var kept = StepGenerator.Of(prompted, Tokenizer, Options);
        using var forgetful = StepGenerator.Of(prompted, Tokenizer, Options with { CacheBytes = 0 });
        var (first, second) = (await GrowAsync(kept, together: true, "7"), await GrowAsync(forgetful, together: false, "7"));
        Assert.True(first.Count > 20);
        Assert.Equal(first.Select(step => step.Text), second.Select(step => step.Text));
        foreach (var (a, b) in first.Zip(second))
            Assert.Equal(a.LogProb!.Value, b.LogProb!.Value, 9);
    }

    [Fact]
    public async Task Steps_EndAtSeparatorsAndLimits()
    {
        using var model = TinyModels.Create("llama");
        using var steps = StepGenerator.Of(model, Tokenizer, Options);
        var ends = new HashSet<StepEnd>();
        foreach (var step in await GrowAsync(steps, together: true))
        {
            ends.Add(step.End);
            Assert.InRange(step.Tokens.Length, 1, 4);
            if (step.End == StepEnd.Open)
                Assert.True(step.Tokens.Length == 4 || step.Text[^1] is ';' or '0' or '3', step.Text);
            // A separator ends a step: none stands before its last character.
            Assert.DoesNotContain(step.Text[..Math.Max(0, step.Text.Length - 1)], text => text is ';' or '0' or '3');
            Assert.Equal(step.End == StepEnd.Finished, step.Tokens[^1] == Tokenizer.EndOfSequenceId);
        }

        Assert.Equal(3, ends.Count);
    }

    [Fact]
    public async Task Solutions_NeverPassTheirLimitOrTheContext()
    {
        using var model = TinyModels.Create("llama");
        foreach (var (prompt, limit) in new[] { ("12+3=", 7), (new string('7', 21), 100) })
        {
            using var steps = StepGenerator.Of(
                model,
                Tokenizer,
                Options with
                {
                    Sampling = new SamplingOptions { MaxNewTokens = limit, SuppressedTokens = [Tokenizer.EndOfSequenceId!.Value] },
                }
            );
            var most = Math.Min(limit, model.ContextLength - Tokenizer.Encode(prompt).Length);
            var at = PartialSolution.Start(new Problem(prompt));
            while (!at.IsComplete)
                at = at.Then((await steps.ContinueAsync([new StepRequest(at, 5)]))[0]);
            Assert.Equal((most, StepEnd.CutOff), (at.TokenCount, at.Last!.End));
            Assert.Equal(Tokenizer.Decode(at.ToCompletion().Tokens), at.Text);
            var error = await Assert.ThrowsAsync<ArgumentException>(async () => await steps.ContinueAsync([new StepRequest(at, 5)]));
            Assert.Contains("request 0 is complete", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Tensors_AreFreedWithTheGenerator()
    {
        using var model = TinyModels.Create("llama");
        // The model keeps masks of its own from pass to pass.
        using (var steps = StepGenerator.Of(model, Tokenizer, Options))
            await GrowAsync(steps, together: true);
        for (var round = 0; round < 2; round++)
        {
            var before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
            using (var steps = StepGenerator.Of(model, Tokenizer, Options))
                await GrowAsync(steps, together: true);
            Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
            using (var steps = StepGenerator.Of(model, Tokenizer, Options))
            {
                using var stop = new CancellationTokenSource();
                stop.Cancel();
                await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
                    await steps.ContinueAsync([new StepRequest(PartialSolution.Start(new Problem("1")), 1)], stop.Token)
                );
            }

            Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
        }
    }

    [Fact]
    public void Options_OutOfRange_AreNamed()
    {
        using var model = TinyModels.Create("llama");
        void Refused(StepOptions options, string message) =>
            Assert.Contains(
                message,
                Assert.ThrowsAny<ArgumentException>(() => StepGenerator.Of(model, Tokenizer, options)).Message,
                StringComparison.Ordinal
            );
        Refused(Options with { Separators = [""] }, "Separators holds an empty text");
        Refused(Options with { MaxStepTokens = 0 }, "MaxStepTokens must be at least 1");
        Refused(Options with { CacheBytes = -1 }, "CacheBytes must be at least 0");
        Refused(Options with { Sampling = new SamplingOptions { MinNewTokens = 1 } }, "MinNewTokens is 1, expected 0");
        Refused(Options with { Sampling = new SamplingOptions { RowSeeds = [1] } }, "RowSeeds is given, expected none");
    }

    // Three rounds from two prompts: branches of different lengths, some dropped, some doubled, one taken up again two rounds later.
    private static async Task<List<SearchStep>> GrowAsync(IStepGenerator steps, bool together, string second = "7+")
    {
        var all = new List<SearchStep>();
        PartialSolution[] active =
        [
            .. Enumerable
                .Range(0, 8)
                .Select(i =>
                    PartialSolution.Start(
                        new Problem(
                            i % 3 == 0 ? second
                            : second == "7" ? "7"
                            : "12+3="
                        )
                    )
                ),
        ];
        PartialSolution? early = null;
        for (var round = 0; round < 6; round++)
        {
            StepRequest[] requests =
            [
                .. active.Select((solution, i) => new StepRequest(solution, (ulong)(100 * round + i)) { Greedy = (i + round) % 5 == 4 }),
            ];
            IReadOnlyList<SearchStep> next = together
                ? await steps.ContinueAsync(requests)
                : [.. await Task.WhenAll(requests.Select(async request => (await steps.ContinueAsync([request]))[0]))];
            all.AddRange(next);
            PartialSolution[] grown = [.. active.Zip(next, (solution, step) => solution.Then(step)).Where(one => !one.IsComplete)];
            if (round == 0)
                early = grown.FirstOrDefault();
            if (early is null || grown.Length == 0)
                break;
            active = [.. Enumerable.Range(0, 7).Select(i => grown[i * 5 % grown.Length]), early];
        }

        return all;
    }
}
