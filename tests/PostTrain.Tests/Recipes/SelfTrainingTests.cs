using PostTrain.Data;
using PostTrain.Recipes;
using PostTrain.Refinement;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using TorchSharp;

namespace PostTrain.Tests.Recipes;

[Collection("Sequential")]
public sealed class SelfTrainingTests
{
    private static readonly Problem[] Problems = [new("1+1=", "2"), new("1+2=", "3"), new("2+2=", "4")];
    private static readonly IReward Any = Reward.Of("any", _ => 1);
    private static readonly SelfTrainingOptions Small = new()
    {
        SamplesPerProblem = 32,
        Sampling = new SamplingOptions { MaxNewTokens = 2 },
    };

    [Fact]
    public async Task Collect_KeepsWhatIsRewardedAndEnded_EachWayOnce()
    {
        using var model = Toy.Model();
        var seen = new List<Completion>();
        var reward = Reward.Of(
            "digits",
            completion =>
            {
                seen.Add(completion);
                return completion.Text.Length > 0 && char.IsAsciiDigit(completion.Text[0]) ? 1 : 0.1;
            }
        );
        var own = await new SelfTraining(model, Toy.Tokenizer, reward, Small).CollectAsync(Problems);
        Assert.Equal(3 * 32, seen.Count);
        var expected = seen.Where(completion => completion.Finished && completion.Text.Length > 0 && char.IsAsciiDigit(completion.Text[0]))
            .Select(completion => new Demonstration(completion.Problem.Prompt, completion.Text))
            .Distinct()
            .ToArray();
        Assert.NotEmpty(expected);
        Assert.True(seen.Count > expected.Length);
        Assert.Equal(expected, own);
    }

    [Fact]
    public async Task Collect_LeavesOutWhatIsDemonstrated_AndMoreThanTheMost()
    {
        using var model = Toy.Model();
        var all = await new SelfTraining(model, Toy.Tokenizer, Any, Small).CollectAsync(Problems);
        var rest = await new SelfTraining(
            model,
            Toy.Tokenizer,
            Any,
            Small with
            {
                Demonstrations = [all[0], new Demonstration("of another prompt", all[1].Completion)],
            }
        ).CollectAsync(Problems);
        Assert.Equal(all.Skip(1), rest);
        Assert.Empty(await new SelfTraining(model, Toy.Tokenizer, Any, Small with { Demonstrations = all }).CollectAsync(Problems));
        var most = await new SelfTraining(model, Toy.Tokenizer, Any, Small with { MostPerProblem = 2 }).CollectAsync(Problems);
        Assert.Equal(all.GroupBy(own => own.Prompt).SelectMany(group => group.Take(2)), most);
        var lengths = await new SelfTraining(
            model,
            Toy.Tokenizer,
            Any,
            Small with
            {
                DeduplicationKey = text => text.Length.ToString(System.Globalization.CultureInfo.InvariantCulture),
            }
        ).CollectAsync(Problems);
        Assert.Equal(all.DistinctBy(own => (own.Prompt, own.Completion.Length)), lengths);
    }

    [Fact]
    public async Task Collect_IsAFunctionOfTheSeed_LeavesTheModelAndNothingElse()
    {
        using var model = Toy.Model();
        model.train();
        byte[] before = Toy.Bytes(model);
        var first = await new SelfTraining(model, Toy.Tokenizer, Any, Small).CollectAsync(Problems);
        Assert.True(model.training);
        long alive = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        // An odd size would leave a single row at the end, which libtorch multiplies by another routine.
        Assert.Equal(first, await new SelfTraining(model, Toy.Tokenizer, Any, Small with { BatchSize = 8 }).CollectAsync(Problems));
        Assert.NotEqual(first, await new SelfTraining(model, Toy.Tokenizer, Any, Small with { Seed = 1 }).CollectAsync(Problems));
        Assert.Equal(alive, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
        Assert.Equal(before, Toy.Bytes(model));
    }

    [Fact]
    public async Task Collect_NamesWhatIsWrong()
    {
        using var model = Toy.Model();
        async Task Refused(string part, SelfTrainingOptions options, IReadOnlyList<Problem>? problems = null)
        {
            var error = await Assert.ThrowsAnyAsync<ArgumentException>(() =>
                new SelfTraining(model, Toy.Tokenizer, Any, options).CollectAsync(problems ?? Problems)
            );
            Assert.Contains(part, error.Message, StringComparison.Ordinal);
        }

        await Refused("SamplesPerProblem", Small with { SamplesPerProblem = 0 });
        await Refused("Threshold", Small with { Threshold = double.NaN });
        await Refused("MostPerProblem", Small with { MostPerProblem = 0 });
        await Refused("BatchSize", Small with { BatchSize = 0 });
        await Refused("greedy", Small with { Sampling = new SamplingOptions { Temperature = 0 } });
        await Refused("problems is empty", Small, []);
        var unusable = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            new SelfTraining(model, Toy.Tokenizer, Reward.Of("nothing", _ => double.NaN), Small).CollectAsync(Problems)
        );
        Assert.Contains("nothing", unusable.Message, StringComparison.Ordinal);
    }
}
