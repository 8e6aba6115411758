using PostTrain.Data;
using PostTrain.Rewards;

namespace PostTrain.Tests.Rewards;

public sealed class AsyncRewardTests
{
    private static Completion[] Completions(int count) =>
        [.. Enumerable.Range(0, count).Select(i => new Completion(new Problem("p"), $"{i}", [i], true))];

    // Later completions are done first, and values stay in the order of the completions.
    [Fact]
    public async Task OfAsync_KeepsTheOrder_AndRunsSeveralAtATime()
    {
        var all = new TaskCompletionSource();
        int running = 0;
        var reward = Reward.OfAsync(
            "length",
            async (completion, stop) =>
            {
                if (Interlocked.Increment(ref running) == 4)
                    all.SetResult();
                await all.Task.WaitAsync(stop);
                await Task.Delay(40 - 10 * completion.Tokens[0], stop);
                return completion.Tokens[0];
            },
            concurrency: 4
        );
        var scores = await Scoring.ScoreCheckedAsync(reward, Completions(4));
        Assert.Equal([0, 1, 2, 3], scores.Values);
        Assert.Equal(["length"], scores.Components.Keys);
    }

    [Fact]
    public async Task OfAsync_NeverRunsMoreThanConcurrency()
    {
        int running = 0,
            most = 0;
        var reward = Reward.OfAsync(
            "counted",
            async (_, stop) =>
            {
                int now = Interlocked.Increment(ref running);
                most = Math.Max(most, now);
                await Task.Delay(5, stop);
                Interlocked.Decrement(ref running);
                return 1;
            },
            concurrency: 1
        );
        await Scoring.ScoreCheckedAsync(reward, Completions(5));
        Assert.Equal(1, most);
    }

    [Fact]
    public async Task OfAsync_AFailure_CancelsTheOthers_AndReachesTheCaller()
    {
        var cancelled = new TaskCompletionSource();
        var reward = Reward.OfAsync(
            "fails",
            async (completion, stop) =>
            {
                if (completion.Tokens[0] == 1)
                    throw new InvalidTimeZoneException("the second");
                try
                {
                    await Task.Delay(Timeout.Infinite, stop);
                }
                catch (OperationCanceledException)
                {
                    cancelled.SetResult();
                    throw;
                }
                return 0;
            },
            concurrency: 2
        );
        var error = await Assert.ThrowsAsync<InvalidTimeZoneException>(async () => await Scoring.ScoreCheckedAsync(reward, Completions(2)));
        Assert.Equal("the second", error.Message);
        await cancelled.Task.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task OfAsync_NotApplicable_IsRefusedOnlyAsAWhole()
    {
        var reward = Reward.OfAsync("some", (completion, _) => Task.FromResult(completion.Tokens[0] == 0 ? double.NaN : 1));
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await Scoring.ScoreCheckedAsync(reward, Completions(2)));
        var sum = await Scoring.ScoreCheckedAsync(Reward.Weighted((1, reward), (1, Reward.Of("two", _ => 2))), Completions(2));
        Assert.Equal([2, 3], sum.Values);
    }

    [Fact]
    public void OfAsync_Concurrency_IsChecked() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Reward.OfAsync("x", (_, _) => Task.FromResult(1.0), concurrency: 0));
}
