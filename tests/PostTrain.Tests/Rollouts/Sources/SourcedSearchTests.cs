using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Recipes;
using PostTrain.Refinement.Writing;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Search;
using PostTrain.Tests.Support;
using PostTrain.Text;

namespace PostTrain.Tests.Rollouts.Sources;

/// <summary>Searches, text sources and recipes with a source in place of the model: the same draws, the same results.</summary>
public sealed class SourcedSearchTests
{
    private static readonly StepOptions Options = new()
    {
        Separators = ["a", "0", "3"],
        MaxStepTokens = 3,
        Sampling = new SamplingOptions { MaxNewTokens = 9, Temperature = 1.2 },
    };

    [Fact]
    public async Task Steps_EqualTheModels()
    {
        using var model = Toy.Model();
        using var own = StepGenerator.Of(model, Toy.Tokenizer, Options);
        var sourced = StepGenerator.Of(RolloutSource.Of(model, Toy.Tokenizer), Toy.Tokenizer, Options);
        PartialSolution[] solutions = [.. Enumerable.Range(0, 12).Select(i => PartialSolution.Start(new Problem($"{i % 10}=")))];
        var ends = new HashSet<StepEnd>();
        for (var round = 0; round < 5; round++)
        {
            StepRequest[] requests =
            [
                .. solutions
                    .Where(solution => !solution.IsComplete)
                    .Select(
                        (solution, i) => new StepRequest(solution, (ulong)(100 * round + i)) { ToEnd = i % 5 == 4, Greedy = i % 3 == 2 }
                    ),
            ];
            if (requests.Length == 0)
                break;
            var (expected, found) = (await own.ContinueAsync(requests), await sourced.ContinueAsync(requests));
            foreach (var (ours, theirs) in expected.Zip(found))
            {
                Assert.Equal(ours.Tokens, theirs.Tokens);
                Assert.Equal((ours.Text, ours.End), (theirs.Text, theirs.End));
                Assert.Equal(ours.LogProb!.Value, theirs.LogProb!.Value, 1e-4);
                ends.Add(theirs.End);
            }
            solutions = [.. requests.Zip(expected, (request, step) => request.Solution.Then(step))];
        }
        Assert.Equal(3, ends.Count);
    }

    [Fact]
    public async Task Texts_EqualTheModels()
    {
        using var model = Toy.Model();
        MarkedText[] prompts = ["1+1=", "2=", "abc"];
        var request = new TextRequest
        {
            MaxTokens = 6,
            Seed = 4,
            StopStrings = ["a", "7"],
        };
        var expected = await TextSource.Of(model, Toy.Tokenizer).CompleteAsync(prompts, request);
        var found = await TextSource.Of(RolloutSource.Of(model, Toy.Tokenizer), Toy.Tokenizer).CompleteAsync(prompts, request);
        Assert.Equal(expected, found);
        Assert.Contains(found, text => text.Text.Length > 0);
    }

    [Fact]
    public async Task Recipes_LearnFromTheSource_AfterItGotTheWeights()
    {
        using var model = Toy.Model();
        var updates = new List<long>();
        IRolloutSource Watched() =>
            RolloutSource.Of(
                "watched",
                RolloutSource.Of(model, Toy.Tokenizer).GenerateAsync,
                (policy, version, _) =>
                {
                    Assert.Same(model, policy);
                    updates.Add(version);
                    return Task.CompletedTask;
                }
            );

        Problem[] problems = [new("0="), new("1+1="), new("2=")];
        var reward = Reward.Of("ends", completion => completion.Finished ? 1 : 0);
        var options = new SelfTrainingOptions
        {
            SamplesPerProblem = 16,
            BatchSize = 8,
            Sampling = new SamplingOptions { MaxNewTokens = 10 },
        };
        var expected = await new SelfTraining(model, Toy.Tokenizer, reward, options).CollectAsync(problems);
        var sourced = new SelfTraining(model, Toy.Tokenizer, reward, options with { Source = Watched() });
        var found = await sourced.CollectAsync(problems);
        Assert.NotEmpty(found);
        Assert.Equal(expected, found);
        await sourced.CollectAsync(problems);
        Assert.Equal([0, 1], updates);

        async Task<List<PreferencePair>> Pairs(IRolloutSource? source)
        {
            var pairs = new List<PreferencePair>();
            await foreach (
                var batch in AiFeedback.CollectAsync(
                    model,
                    Toy.Tokenizer,
                    problems,
                    (_, first, second, _) => Task.FromResult(first.Length >= second.Length ? 1.0 : 0),
                    new AiFeedbackOptions { PairsPerProblem = 3, Source = source }
                )
            )
                pairs.AddRange(batch.Pairs);
            return pairs;
        }

        Assert.Equal(await Pairs(null), await Pairs(Watched()));
        Assert.Equal([0, 1, 0], updates);
    }
}
