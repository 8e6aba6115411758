using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.RewardModeling;
using PostTrain.Rewards;
using PostTrain.Rewards.Steps;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.RewardModeling;

/// <summary>Step scores with kept beginnings against whole passes.</summary>
[Collection("Sequential")]
public sealed class CachedStepRewardTests
{
    private static readonly LearnedRewardOptions Options = new() { Encoding = new StepEncodingOptions { Separator = "+" } };

    // Rounds of a search: branches go on, fork, are dropped, come back, and belong to several problems.
    private static readonly string[][] Rounds =
    [
        ["1=a+", "1=bb+", "22=c+"],
        ["1=a+b+", "1=a+cc+", "22=c+d+"],
        ["1=a+cc+a+", "1=a+cc+b", "22=c+d+", "1=bb+a+"],
        ["3=f+f+f+f+", "1=a+cc+b"],
    ];

    [Theory]
    [InlineData(1, 16, 1L << 20)]
    [InlineData(2, 2, 1L << 20)]
    [InlineData(1, 16, 0L)]
    public async Task Scores_AreThoseOfWholePasses(int labels, int batch, long bytes)
    {
        using var model = Model(labels);
        var options = Options with { BatchSize = batch };
        var whole = LearnedRewards.Steps(model, Toy.Tokenizer, options);
        using var cached = new CachedStepReward(model, Toy.Tokenizer, options, bytes);
        foreach (var round in Rounds)
        {
            var expected = await whole.ScoreStepsAsync(Texts(round), RewardContext.None);
            var scores = await cached.ScoreStepsAsync(Texts(round), RewardContext.None);
            foreach (var (a, b) in expected.Zip(scores))
            {
                Assert.Equal(a.Length, b.Length);
                Assert.All(a.Zip(b), pair => Assert.Equal(pair.First, pair.Second, 1e-12));
            }
        }
    }

    [Fact]
    public async Task OnlyNewTokens_AreComputed()
    {
        using var model = Model(1);
        using var cached = new CachedStepReward(model, Toy.Tokenizer, Options);
        await cached.ScoreStepsAsync(Texts(["1=a+", "1=bb+"]), RewardContext.None);
        Assert.Equal(4 + 5, cached.ComputedTokens);
        await cached.ScoreStepsAsync(Texts(["1=a+b+", "1=a+cc+", "1=bb+"]), RewardContext.None);
        // Two and three new tokens; the last token of a text that is known whole.
        Assert.Equal(9 + 2 + 3 + 1, cached.ComputedTokens);
    }

    [Fact]
    public async Task Forget_MakesScoresThoseOfTheNewWeights()
    {
        using var model = Model(1);
        using var cached = new CachedStepReward(model, Toy.Tokenizer, Options);
        await cached.ScoreStepsAsync(Texts(["1=a+"]), RewardContext.None);
        using (no_grad())
            foreach (var parameter in model.Body.parameters())
                parameter.mul_(1.5);
        cached.Forget();
        var scores = await cached.ScoreStepsAsync(Texts(["1=a+b+"]), RewardContext.None);
        var expected = await LearnedRewards.Steps(model, Toy.Tokenizer, Options).ScoreStepsAsync(Texts(["1=a+b+"]), RewardContext.None);
        Assert.All(expected[0].Zip(scores[0]), pair => Assert.Equal(pair.First, pair.Second, 1e-12));
    }

    // Beginnings and new tokens stand side by side, which can be wider than the context though no text is.
    [Fact]
    public async Task TextsOfTheContextsLength_Fit()
    {
        using var model = Model(1);
        using var cached = new CachedStepReward(model, Toy.Tokenizer, Options);
        await cached.ScoreStepsAsync(Texts(["1=aaaaaaaaaa+"]), RewardContext.None);
        SteppedCompletion[] texts = Texts(["1=aaaaaaaaaa+b+", "2=bbbbbbbbbbbbb+"]);
        var scores = await cached.ScoreStepsAsync(texts, RewardContext.None);
        var expected = await LearnedRewards.Steps(model, Toy.Tokenizer, Options).ScoreStepsAsync(texts, RewardContext.None);
        Assert.Equal(expected.SelectMany(row => row), scores.SelectMany(row => row), (a, b) => Math.Abs(a - b) < 1e-12);
    }

    [Fact]
    public void Dispose_FreesWhatWasKept()
    {
        using var model = Model(1);
        // The first pass makes what the model keeps, such as its tables of positions.
        var (_, before) = Counts();
        var (kept, after) = Counts();
        Assert.True(kept > before, "nothing was kept");
        Assert.Equal(before, after);

        (long Kept, long After) Counts()
        {
            long kept;
            using (var cached = new CachedStepReward(model, Toy.Tokenizer, Options))
            {
                foreach (var round in Rounds)
                    Assert.True(cached.ScoreStepsAsync(Texts(round), RewardContext.None).AsTask().IsCompletedSuccessfully);
                kept = Live();
            }
            return (kept, Live());
        }

        static long Live() => DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
    }

    private static SequenceClassifier Model(int labels)
    {
        var model = SequenceClassifier.For(
            Toy.Model(3, ScalarType.Float64, layers: 2),
            new ClassifierOptions
            {
                Labels = labels,
                Head = new HeadOptions { Seed = 5 },
            }
        );
        return model;
    }

    private static SteppedCompletion[] Texts(string[] texts) =>
        [
            .. texts.Select(text =>
            {
                var parts = text.Split('=');
                return SteppedCompletion.Of(new Completion(new Problem(parts[0] + "="), parts[1], [], true), "+");
            }),
        ];
}
