using PostTrain.Adapters.Prompts;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Supervised;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Adapters;

public sealed class DiscretePromptSearchTests
{
    // All prompts of a toy vocabulary are evaluated: the search finds the best of them in at least nine of ten seeds, and its loss is what
    // it says.
    [Theory]
    [InlineData(64, 2)]
    [InlineData(16, 3)]
    public void Run_FindsTheExhaustiveOptimum_InNineOfTenSeeds(int vocabulary, int length)
    {
        using var scope = NewDisposeScope();
        const int Seeds = 20;
        var hits = 0;
        for (var seed = 0; seed < Seeds; seed++)
        {
            using var model = TinyModels.Create(
                TinyModels.Llama with
                {
                    VocabularySize = vocabulary,
                    HiddenSize = 8,
                    Heads = 2,
                    KeyValueHeads = 2,
                    FeedForwardSize = 8,
                    Layers = 1,
                }
            );
            using var objective = new CompletionObjective(model, Examples(seed, vocabulary));
            var found = DiscretePromptSearch.Run(objective, new DiscreteSearchOptions { Length = length, Seed = (ulong)seed });
            var (best, loss) = Exhaustive(objective, vocabulary, length);
            Assert.InRange(found.Loss, loss - 1e-12, double.PositiveInfinity);
            using (no_grad())
                Assert.Equal(
                    objective.Losses(model.Embed(tensor(found.Tokens.Select(id => (long)id).ToArray()).unsqueeze(0))).ToDouble(),
                    found.Loss
                );
            Assert.True(found.Evaluations < Math.Pow(vocabulary, length) / 2, $"{found.Evaluations} evaluations");
            if (found.Loss <= loss + 1e-12)
            {
                hits++;
                Assert.Equal(best, found.Tokens);
            }
        }

        Assert.True(hits >= 0.9 * Seeds, $"{hits} of {Seeds}");
    }

    // The relaxation: a soft prompt that starts from the best tokens has their loss to begin with, and goes below it.
    [Fact]
    public void SoftOptimum_IsNotAboveTheDiscreteOptimum()
    {
        using var model = Toy.Model(seed: 3, type: ScalarType.Float64);
        Demonstration[] data = [new("a=", "b"), new("b=", "c"), new("1+", "2=")];
        using var objective = CompletionObjective.Of(model, Toy.Tokenizer, data);
        var found = DiscretePromptSearch.Run(objective, new DiscreteSearchOptions { Length = 2 });
        using var prompted = new SoftPromptLm(model, PromptTable.FromTokens(model, found.Tokens));
        using var trainer = new SftTrainer(
            prompted,
            Toy.Tokenizer,
            new SftOptions
            {
                Steps = 60,
                BatchSize = 3,
                LearningRate = 1e-2,
            }
        );
        var losses = trainer.Run(data).Select(report => report.Loss).ToArray();
        Assert.Equal(found.Loss, losses[0], 1e-12);
        Assert.True(losses[^1] < losses[0], $"{losses[^1]} after {losses[0]}");
    }

    [Fact]
    public void Run_TellsItsProgress_AndNeverGetsWorse()
    {
        using var model = TinyModels.Create("llama");
        using var objective = new CompletionObjective(model, Examples(1, 23));
        var seen = new Recorder();
        var options = new DiscreteSearchOptions
        {
            Length = 3,
            Beam = 2,
            Candidates = 4,
            Starts = 2,
            Initial = [1, 2, 3],
            AllowedTokens = [1, 2, 3, 4, 5, 9],
        };
        var found = DiscretePromptSearch.Run(objective, options, seen);
        Assert.All(seen.Reports.Zip(seen.Reports.Skip(1)), pair => Assert.True(pair.Second.Loss <= pair.First.Loss));
        Assert.Equal(found.Tokens, seen.Reports[^1].Best);
        Assert.Equal(found.Loss, seen.Reports[^1].Loss, 1e-12);
        Assert.All(found.Tokens, id => Assert.Contains(id, options.AllowedTokens));
        Assert.Contains(seen.Reports, report => report.Start == 1);
        Assert.Equal(found, DiscretePromptSearch.Run(objective, options) with { Tokens = found.Tokens });

        // The given prompt was evaluated: the result is not worse.
        using (NewDisposeScope())
        using (no_grad())
            Assert.True(found.Loss <= objective.Losses(model.Embed(tensor(new long[] { 1, 2, 3 }, [1, 3]))).ToDouble() + 1e-12);
    }

    [Fact]
    public void Run_Cancelled_StopsBeforeTheNextRound()
    {
        using var model = TinyModels.Create("llama");
        using var objective = new CompletionObjective(model, Examples(1, 23));
        using var source = new CancellationTokenSource();
        var seen = new Recorder { AfterEach = source.Cancel };
        // The model's tables are made in its first call.
        DiscretePromptSearch.Run(
            objective,
            new DiscreteSearchOptions
            {
                Length = 2,
                Starts = 1,
                Rounds = 1,
            }
        );
        var before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        Assert.Throws<OperationCanceledException>(() =>
            DiscretePromptSearch.Run(objective, new DiscreteSearchOptions { Length = 2 }, seen, source.Token)
        );
        Assert.Single(seen.Reports);
        Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void Run_BadArguments_AreNamed()
    {
        using var model = TinyModels.Create("llama");
        using var objective = new CompletionObjective(model, Examples(1, 23));
        Refused("Length", new DiscreteSearchOptions { Length = 0 });
        Refused("Beam", new DiscreteSearchOptions { Length = 1, Beam = 0 });
        Refused("Candidates", new DiscreteSearchOptions { Length = 1, Candidates = 0 });
        Refused("AllowedTokens", new DiscreteSearchOptions { Length = 1, AllowedTokens = [23] });
        Refused("AllowedTokens", new DiscreteSearchOptions { Length = 1, AllowedTokens = [] });
        Refused("Initial", new DiscreteSearchOptions { Length = 1, Initial = [1, 2] });
        Assert.Contains(
            "examples[0] has an empty completion",
            Assert.Throws<ArgumentException>(() => new CompletionObjective(model, [([1], [])])).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => new CompletionObjective(model, []));

        void Refused(string name, DiscreteSearchOptions options) =>
            Assert.Equal(name, Assert.ThrowsAny<ArgumentException>(() => DiscretePromptSearch.Run(objective, options)).ParamName);
    }

    // The loss of prompts side by side is each one's own, and the hand-summed one.
    [Fact]
    public void Losses_AreEachPromptsOwn()
    {
        using var scope = NewDisposeScope();
        using var model = Toy.Model(type: ScalarType.Float64);
        using var objective = new CompletionObjective(model, [([4, 5], [6]), ([7], [8, 9])], rowsAtATime: 4);
        var prompts = Numbers.Ids(1, 20, 5, 2);
        using var mode = no_grad();
        var losses = objective.Losses(model.Embed(prompts));
        for (var i = 0; i < 5; i++)
        {
            var (a, b) = ((int)prompts[i, 0].ToInt64(), (int)prompts[i, 1].ToInt64());
            var (one, two) = (Toy.LogProbs(model, [a, b, 4, 5, 6]), Toy.LogProbs(model, [a, b, 7, 8, 9]));
            Assert.Equal(-(one[3][6] + two[2][8] + two[3][9]) / 3, losses[i].ToDouble(), 1e-12);
        }

        var given = objective.Embeddings.narrow(0, 0, 6).reshape(3, 2, 16);
        Ownership.Check(() => [objective.Losses(given)], given);
    }

    private static (int[], int[])[] Examples(int seed, int vocabulary)
    {
        var random = new Random(seed);
        int[] Draw(int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabulary))];
        return [(Draw(2), Draw(1)), (Draw(1), Draw(2))];
    }

    private static (int[] Tokens, double Loss) Exhaustive(PromptObjective objective, int vocabulary, int length)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var count = (int)Math.Pow(vocabulary, length);
        int[] Tokens(int number) =>
            [.. Enumerable.Range(0, length).Select(place => number / (int)Math.Pow(vocabulary, place) % vocabulary)];
        var ids = tensor(Enumerable.Range(0, count).SelectMany(number => Tokens(number).Select(id => (long)id)).ToArray());
        var losses = objective.Losses(objective.Embeddings.index_select(0, ids).reshape(count, length, -1));
        var best = (int)losses.argmin().ToInt64();
        return (Tokens(best), losses[best].ToDouble());
    }

    private sealed class Recorder : IProgress<DiscreteSearchProgress>
    {
        internal List<DiscreteSearchProgress> Reports { get; } = [];

        internal Action? AfterEach { get; init; }

        public void Report(DiscreteSearchProgress value)
        {
            Reports.Add(value);
            AfterEach?.Invoke();
        }
    }
}
