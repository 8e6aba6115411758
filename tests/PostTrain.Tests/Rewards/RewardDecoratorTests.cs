using PostTrain.Data;
using PostTrain.Rewards;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Rewards;

public sealed class RewardDecoratorTests
{
    private static Completion[] List(params (string Prompt, string Text)[] items) =>
        [.. items.Select(item => new Completion(new Problem(item.Prompt), item.Text, [], true))];

    private static readonly Completion[] Two = List(("p", "a"), ("p", "bb"));

    private static async Task<RewardScores> Score(IReward reward, Completion[] completions, RewardContext? context = null) =>
        await reward.ScoreAsync(completions, context ?? RewardContext.None, CancellationToken.None);

    private static void Same(double[] expected, RewardScores actual) => Assert.Equal(expected, actual.Values);

    [Fact]
    public async Task Weighted_PartsThatAreNotApplicable_AreLeftOut()
    {
        var part = Reward.Of("some", completion => completion.Text == "a" ? double.NaN : 3);
        var length = Reward.Of("length", completion => completion.Text.Length);
        var sum = await Scoring.ScoreCheckedAsync(Reward.Weighted((2, part), (0.5, length)), Two);
        Assert.Equal([0.5, 7], sum.Values); // 0.5*1; 2*3 + 0.5*2
        Assert.Equal([double.NaN, 3], sum.Components["some"]);
        var mean = await Scoring.ScoreCheckedAsync(Reward.WeightedMean("mean", (2, part), (0.5, length)), Two);
        Assert.Equal([1, 7 / 2.5], mean.Values);
        var nothing = Reward.Weighted((1, Reward.Of("never", _ => double.NaN)));
        var error = await Assert.ThrowsAsync<InvalidOperationException>(async () => await Scoring.ScoreCheckedAsync(nothing, Two));
        Assert.Equal("reward 'weighted' returned NaN for completion 0, expected a finite number", error.Message);
        Same([-1, -1], await Scoring.ScoreCheckedAsync(nothing.OrElse(-1), Two));
        Assert.Throws<ArgumentException>(() => Reward.WeightedMean("mean", (0, part)));
    }

    [Fact]
    public async Task Context_ReachesEveryPart()
    {
        var fading = Reward.Of("bonus", _ => 4).Scheduled(context => 1 - context.Progress ?? 1);
        var step = Reward.Of("step", (_, context) => context.Step);
        var scores = await Scoring.ScoreCheckedAsync(Reward.Weighted((1, fading), (1, step)).Batched(), Two, new RewardContext(3, 4));
        Assert.Equal([4, 4], scores.Values); // 4*(1 - 3/4) + 3
        Assert.Equal([1, 1], scores.Components["bonus"]);
        Same([4, 4], await Score(fading, Two));
        Assert.Equal(1, new RewardContext(9, 4).Progress);
        Assert.Null(new RewardContext(9, 0).Progress);
    }

    [Fact]
    public void Groups_AreEqualProblems_WhereverTheyStand()
    {
        var groups = CompletionGroups.Of(List(("a", ""), ("b", ""), ("a", ""), ("b", ""), ("c", "")));
        Assert.Equal(
            [
                [0, 2],
                [1, 3],
                [4],
            ],
            groups
        );
        Assert.Empty(CompletionGroups.Of([]));
    }

    [Fact]
    public async Task GroupNormalized_HandWorked()
    {
        var reward = Reward
            .Of(
                "x",
                completion =>
                    completion.Text == "-" ? double.NaN : double.Parse(completion.Text, System.Globalization.CultureInfo.InvariantCulture)
            )
            .GroupNormalized(epsilon: 0);
        var scores = await Score(reward, List(("a", "1"), ("b", "7"), ("a", "2"), ("a", "-"), ("a", "6"), ("b", "7")));
        // group a: mean 3, deviations -2 -1 3, variance 14/2 = 7
        var root = Math.Sqrt(7);
        Assert.Equal([-2 / root, 0, -1 / root, double.NaN, 3 / root, 0], scores.Values, (x, y) => x.Equals(y) || Math.Abs(x - y) < 1e-13);
        Assert.Equal([1, 7, 2, double.NaN, 6, 7], scores.Components["raw"]);
        Same([0.0], await Score(reward, List(("a", "5"))));
    }

    [Fact]
    public async Task Clipped_CutsOff()
    {
        var reward = Reward.Of("length", completion => completion.Text.Length);
        Same([1, 1.5], await Score(reward.Clipped(0, 1.5), Two));
        Assert.Throws<ArgumentOutOfRangeException>(() => reward.Clipped(1, 0));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task WithTimeout_SlowCalls_AreNamed(bool heedsItsToken)
    {
        // The time is over when the call has begun: a call whose time is over before is not made.
        var begun = new TaskCompletionSource();
        var time = new InstantTime(begun.Task);
        var never = new TaskCompletionSource<double[]>();
        var cancelled = new TaskCompletionSource();
        var reward = Reward.OfAll(
            "slow",
            async (_, _, token) =>
            {
                token.Register(() => cancelled.SetResult());
                begun.SetResult();
                return heedsItsToken ? await never.Task.WaitAsync(token) : await never.Task;
            }
        );
        var error = await Assert.ThrowsAsync<TimeoutException>(() => Score(reward.WithTimeout(TimeSpan.FromSeconds(2.5), time), Two));
        Assert.Equal("reward 'slow' gave no answer within 2.5 s", error.Message);
        Assert.Equal([TimeSpan.FromSeconds(2.5)], time.Waits);
        await cancelled.Task.WaitAsync(TimeSpan.FromSeconds(30));
        never.SetException(new InvalidOperationException("late"));
    }

    [Fact]
    public async Task WithTimeout_BlockedThread_IsLeftBehind()
    {
        using var gate = new ManualResetEventSlim();
        var reward = Reward
            .Of(
                "blocked",
                _ =>
                {
                    gate.Wait(TimeSpan.FromSeconds(60));
                    return 1;
                }
            )
            .WithTimeout(TimeSpan.FromHours(1), new InstantTime());
        await Assert.ThrowsAsync<TimeoutException>(() => Score(reward, Two));
        gate.Set();
    }

    [Fact]
    public async Task WithTimeout_QuickCallsAndTheirErrors_Pass()
    {
        Same([1, 2], await Score(Reward.Of("length", c => c.Text.Length).WithTimeout(TimeSpan.FromMinutes(1)), Two));
        var error = await Assert.ThrowsAsync<TimeoutException>(() =>
            Score(Reward.Of("x", _ => throw new TimeoutException("its own")).WithTimeout(TimeSpan.FromMinutes(1)), Two)
        );
        Assert.Equal("its own", error.Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => Reward.Of("x", _ => 0).WithTimeout(TimeSpan.Zero));
    }

    [Theory]
    [InlineData(2, 3, new[] { 1.0, 2.0 })]
    [InlineData(4, 5, new[] { 1.0, 2.0, 3.0, 3.0 })] // the longest wait is 3 s
    public async Task WithRetries_WaitsDoubleUpToTheLongest(int failures, int attempts, double[] waits)
    {
        var time = new InstantTime();
        var calls = 0;
        var reward = Reward
            .OfAll("flaky", _ => ++calls <= failures ? throw new InvalidOperationException("busy") : [1, 2])
            .WithRetries(new RetryOptions { Attempts = attempts, LongestDelay = TimeSpan.FromSeconds(3) }, time);
        Same([1, 2], await Score(reward, Two));
        Assert.Equal(attempts, calls);
        Assert.Equal(waits, time.Waits.Select(wait => wait.TotalSeconds));
    }

    [Fact]
    public async Task WithRetries_TheLastFailureReachesTheCaller_AndMistakesAreNotRepeated()
    {
        var calls = 0;
        var failing = Reward
            .OfAll("failing", _ => throw new InvalidOperationException($"failure {++calls}"))
            .WithRetries(time: new InstantTime());
        Assert.Equal("failure 3", (await Assert.ThrowsAsync<InvalidOperationException>(() => Score(failing, Two))).Message);
        calls = 0;
        var mistaken = Reward
            .OfAll("mistaken", _ => throw new ArgumentException($"mistake {++calls}"))
            .WithRetries(time: new InstantTime());
        Assert.Equal("mistake 1", (await Assert.ThrowsAsync<ArgumentException>(() => Score(mistaken, Two))).Message);
        using var source = new CancellationTokenSource();
        calls = 0;
        var cancelled = Reward
            .OfAll(
                "cancelled",
                _ =>
                {
                    calls++;
                    source.Cancel();
                    throw new OperationCanceledException(source.Token);
                }
            )
            .WithRetries(time: new InstantTime());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            await cancelled.ScoreAsync(Two, RewardContext.None, source.Token)
        );
        Assert.Equal(1, calls);
        Assert.Throws<ArgumentOutOfRangeException>(() => failing.WithRetries(new RetryOptions { Attempts = 0 }));
    }

    [Fact]
    public async Task WithTimeout_InsideRetries_EachTryHasItsOwnLimit()
    {
        var calls = 0;
        var never = new TaskCompletionSource<double[]>();
        using var begun = new SemaphoreSlim(0);
        var reward = Reward
            .OfAll(
                "slow",
                async (_, _, token) =>
                {
                    if (Interlocked.Increment(ref calls) == 3)
                        return [5, 6];
                    begun.Release();
                    return await never.Task.WaitAsync(token);
                }
            )
            .WithTimeout(TimeSpan.FromSeconds(7), new TimeOfSlowCalls(begun))
            .WithRetries(time: new InstantTime());
        Same([5, 6], await Score(reward, Two));
        Assert.Equal(3, calls);
    }

    [Fact]
    public async Task Batched_BoundsParallelism_KeepsGroupsTogether_AndTheOrder()
    {
        var completions = List([.. Enumerable.Range(0, 24).Select(i => ($"p{i % 8}", $"{i}"))]);
        int running = 0,
            most = 0;
        var sizes = new System.Collections.Concurrent.ConcurrentBag<int>();
        var reward = Reward
            .OfAll(
                "number",
                async (batch, _, token) =>
                {
                    most = Math.Max(most, Interlocked.Increment(ref running));
                    sizes.Add(batch.Count);
                    Assert.Equal(batch.Count, batch.GroupBy(c => c.Problem).Sum(group => group.Count() == 3 ? 3 : -1));
                    await Task.Yield();
                    Interlocked.Decrement(ref running);
                    return [.. batch.Select(c => double.Parse(c.Text, System.Globalization.CultureInfo.InvariantCulture))];
                }
            )
            .Batched(new BatchOptions { Size = 7, Parallelism = 2 });
        var scores = await Score(reward, completions);
        Assert.Equal(Enumerable.Range(0, 24).Select(i => (double)i), scores.Values);
        Assert.Equal(scores.Values, scores.Components["number"]);
        Assert.Equal([6, 6, 6, 6], sizes);
        Assert.InRange(most, 1, 2);
        Assert.Empty((await Score(reward, [])).Values);
    }

    [Fact]
    public async Task Batched_FailureOfOne_ReachesTheCaller_OrLeavesOnlyItsBatchOut()
    {
        var reward = Reward.OfAll("part", batch => batch[0].Text == "bad" ? throw new InvalidOperationException("bad batch") : [1]);
        var completions = List(("a", "x"), ("b", "bad"), ("c", "y"));
        Assert.Equal(
            "bad batch",
            (await Assert.ThrowsAsync<InvalidOperationException>(() => Score(reward.Batched(), completions))).Message
        );
        var failures = new List<Exception>();
        var scores = await Score(reward.OrNotApplicable(new Collected(failures)).Batched(), completions);
        Assert.Equal([1, double.NaN, 1], scores.Values);
        Assert.Equal("bad batch", Assert.Single(failures).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => reward.Batched(new BatchOptions { Parallelism = 0 }));
    }

    [Fact]
    public async Task Batched_ComponentsOfSomeBatches_AreNotApplicableElsewhere()
    {
        var part = new Named(batch => new RewardScores([0], new Dictionary<string, double[]> { [batch[0].Text] = [1] }));
        var scores = await Score(part.Batched(), List(("a", "x"), ("b", "y")));
        Assert.Equal([1, double.NaN], scores.Components["x"]);
        Assert.Equal([double.NaN, 1], scores.Components["y"]);
    }

    private sealed class Named(Func<IReadOnlyList<Completion>, RewardScores> score) : IReward
    {
        public string Name => "named";

        public ValueTask<RewardScores> ScoreAsync(
            IReadOnlyList<Completion> completions,
            RewardContext context,
            CancellationToken cancellation = default
        ) => ValueTask.FromResult(score(completions));
    }

    private sealed class Collected(List<Exception> failures) : IProgress<Exception>
    {
        public void Report(Exception value) => failures.Add(value);
    }

    // A timer rings when a slow call has begun, and never before: a limit that passes by a call that has not begun would count for nothing.
    private sealed class TimeOfSlowCalls(SemaphoreSlim begun) : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _ = begun.WaitAsync().ContinueWith(_ => callback(state), TaskScheduler.Default);
            return System.CreateTimer(_ => { }, null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }
}
