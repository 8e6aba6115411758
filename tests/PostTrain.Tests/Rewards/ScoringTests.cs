using PostTrain.Data;
using PostTrain.Rewards;

namespace PostTrain.Tests.Rewards;

public sealed class ScoringTests
{
    private static readonly Completion[] Two = [new(new Problem("?"), "a", [], true), new(new Problem("?"), "b", [], true)];

    private sealed class Fixed(RewardScores scores) : IReward
    {
        public string Name => "judge";

        public ValueTask<RewardScores> ScoreAsync(
            IReadOnlyList<Completion> completions,
            RewardContext context,
            CancellationToken cancellation = default
        ) => ValueTask.FromResult(scores);
    }

    private static async Task<string> ErrorOf(IReward reward) =>
        (await Assert.ThrowsAsync<InvalidOperationException>(async () => await Scoring.ScoreCheckedAsync(reward, Two))).Message;

    private static Task<string> ErrorOf(double[]? values, Dictionary<string, double[]>? components) =>
        ErrorOf(new Fixed(new RewardScores(values!, components!)));

    [Fact]
    public async Task ScoreChecked_GoodScores_PassUnchanged()
    {
        var scores = new RewardScores([1, 2], new Dictionary<string, double[]> { ["a"] = [3, 4] });
        Assert.Same(scores, await Scoring.ScoreCheckedAsync(new Fixed(scores), Two));
    }

    [Fact]
    public async Task ScoreChecked_WrongCount()
    {
        Assert.Equal("reward 'judge' returned 1 values, expected 2, one for each completion", await ErrorOf([1], []));
        Assert.Equal("reward 'judge' returned 3 values, expected 2, one for each completion", await ErrorOf([1, 2, 3], []));
        Assert.Equal(
            "reward 'judge', component 'a', returned 0 values, expected 2, one for each completion",
            await ErrorOf([1, 2], new() { ["a"] = [] })
        );
    }

    [Fact]
    public async Task ScoreChecked_NotFinite()
    {
        Assert.Equal("reward 'judge' returned NaN for completion 1, expected a finite number", await ErrorOf([1, double.NaN], []));
        Assert.Equal(
            "reward 'judge' returned -Infinity for completion 0, expected a finite number",
            await ErrorOf([double.NegativeInfinity, 1], [])
        );
        Assert.Equal(
            "reward 'judge', component 'a', returned Infinity for completion 1, expected a finite number",
            await ErrorOf([1, 2], new() { ["a"] = [0, double.PositiveInfinity] })
        );
    }

    [Fact]
    public async Task ScoreChecked_Null()
    {
        Assert.Equal("reward 'judge' returned null, expected 2 values, one for each completion", await ErrorOf(null, []));
        Assert.Contains("null components", await ErrorOf([1, 2], null), StringComparison.Ordinal);
        Assert.Contains("component 'a', returned null", await ErrorOf([1, 2], new() { ["a"] = null! }), StringComparison.Ordinal);
        Assert.Contains("'judge' returned null, expected 2 scores", await ErrorOf(new Fixed(null!)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Weighted_NamesThePartThatFailed()
    {
        var total = Reward.Weighted(
            (1, Reward.Of("fine", _ => 1)),
            (0, Reward.Of("broken", completion => completion.Text == "b" ? double.NegativeInfinity : 0))
        );
        Assert.Equal("reward 'broken' returned -Infinity for completion 1, expected a finite number", await ErrorOf(total));
        var overflow = Reward.Weighted((1e300, Reward.Of("large", _ => 1e300)));
        Assert.Equal("reward 'weighted' returned Infinity for completion 0, expected a finite number", await ErrorOf(overflow));
    }

    [Fact]
    public async Task ScoreAsync_Cancelled_StopsBetweenCompletions()
    {
        using var source = new CancellationTokenSource();
        var calls = 0;
        var reward = Reward.Of(
            "slow",
            _ =>
            {
                calls++;
                source.Cancel();
                return 0;
            }
        );
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            await Scoring.ScoreCheckedAsync(reward, Two, cancellation: source.Token)
        );
        Assert.Equal(1, calls);
    }
}
