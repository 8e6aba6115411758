using PostTrain.Refinement.Writing;
using PostTrain.Refinement;
using PostTrain.Search;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Search;

/// <summary>The router against enumeration of all rules; the conversation of the two systems.</summary>
public sealed class TalkerReasonerTests
{
    // Six signals with falling gain: of all 64 rules that see the signal, the best is the fitted threshold's.
    [Theory]
    [InlineData(0)]
    [InlineData(0.05)]
    [InlineData(0.15)]
    [InlineData(0.3)]
    [InlineData(2)]
    public void FittedThreshold_IsTheEnumeratedOptimum(double price)
    {
        double[] signals = [0.05, 0.2, 0.4, 0.55, 0.7, 0.95];
        var random = new Random(5);
        RoutingExample[] examples =
        [
            .. Enumerable
                .Range(0, 1200)
                .Select(i => new RoutingExample(
                    signals[i % 6],
                    i / 6 < 200 * (0.1 + 0.85 * signals[i % 6]) ? 1 : 0,
                    i / 6 < 200 * 0.9 ? 1 : 0,
                    2
                ))
                .OrderBy(_ => random.Next()),
        ];
        var best = double.NegativeInfinity;
        for (var rule = 0; rule < 64; rule++)
            best = Math.Max(best, Utility(signal => (rule >> Array.IndexOf(signals, signal) & 1) == 1));
        var router = Router.Fit(examples, price);
        Assert.Equal(best, Utility(router.CallsSlow), 12);

        // Where gain − price · cost is 0 the slow system is not called.
        var slow = signals.Count(router.CallsSlow);
        Assert.Equal(signals.Count(signal => 0.9 - (0.1 + 0.85 * signal) > 2 * price + 1e-9), slow);

        double Utility(Func<double, bool> isSlow) =>
            examples.Average(one => isSlow(one.Signal) ? one.SlowQuality - price * one.SlowCost : one.FastQuality);
    }

    [Fact]
    public void Frontier_IsEveryThreshold_FromNeverToAlways()
    {
        RoutingExample[] examples = [new(0.9, 1, 1, 3), new(0.2, 0, 1, 5), new(0.2, 0, 0, 1), new(0.5, 1, 0, 3)];
        var points = Router.Frontier(examples);
        Assert.Equal([double.NegativeInfinity, 0.35, 0.7, double.PositiveInfinity], points.Select(point => point.Threshold));
        Assert.Equal([0, 0.5, 0.75, 1], points.Select(point => point.Slow));
        Assert.Equal([0.5, 0.75, 0.5, 0.5], points.Select(point => point.Quality));
        Assert.Equal([0, 1.5, 2.25, 3], points.Select(point => point.Cost));
        foreach (var point in points)
            Assert.Equal(point.Slow, examples.Count(example => new Router(point.Threshold).CallsSlow(example.Signal)) / 4.0);
    }

    [Fact]
    public async Task Reasoner_IsCalledWhereTheTalkerIsUnsure_AndItsBeliefIsRead()
    {
        var asked = new List<string>();
        var talker = TextSource.Of(
            new ChatFunction(question =>
            {
                asked.Add(question);
                return question.Contains("[thought] 42", StringComparison.Ordinal) ? "It is 42." : "Hello.";
            })
        );
        var thoughts = 0;
        var reasoner = TextSource.Of(
            new ChatFunction(_ =>
            {
                thoughts++;
                return "42";
            })
        );
        var system = new TalkerReasoner(
            talker,
            reasoner,
            new Router(0.5),
            new TalkerReasonerOptions
            {
                Signal = (message, _, _) => ValueTask.FromResult(message.Contains("sum", StringComparison.Ordinal) ? 0.1 : 0.9),
            }
        );
        var greeting = await system.ReplyAsync("hi");
        Assert.Equal(("Hello.", false, 0.9, null), (greeting.Reply, greeting.Reasoned, greeting.Signal, greeting.Thought));
        Assert.Equal((0, 0L), (thoughts, system.Beliefs.Version));
        var sum = await system.ReplyAsync("the sum?");
        Assert.Equal(("It is 42.", true, "42"), (sum.Reply, sum.Reasoned, sum.Thought));
        Assert.Equal("42", system.Beliefs.Read()["thought"]);
        // The belief stays: the talker alone knows it now.
        Assert.Equal("It is 42.", (await system.ReplyAsync("again?")).Reply);
        Assert.Equal((1, 3, 4), (thoughts, system.Turns.Count, asked.Count));
        Assert.Contains("User: hi\nAssistant: Hello.\nUser: the sum?", asked[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task BadInput_IsNamed_AndACancelledTurnIsNone()
    {
        var source = TextSource.Of(new ChatFunction(_ => "yes"));
        TalkerReasoner With(Func<string, string, CancellationToken, ValueTask<double>> signal) =>
            new(source, source, new Router(0.5), new TalkerReasonerOptions { Signal = signal });
        var nan = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            With((_, _, _) => ValueTask.FromResult(double.NaN)).ReplyAsync("?")
        );
        Assert.Contains("signal is NaN", nan.Message, StringComparison.Ordinal);
        using var stop = new CancellationTokenSource();
        var slow = With(
            async (_, _, _) =>
            {
                await stop.CancelAsync();
                await Task.Delay(Timeout.Infinite, CancellationToken.None);
                return 1;
            }
        );
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => slow.ReplyAsync("?", stop.Token));
        Assert.Empty(slow.Turns);
        Assert.Throws<ArgumentOutOfRangeException>(() => new Router(0.5).CallsSlow(double.NaN));
        Assert.Contains("0 examples", Assert.Throws<ArgumentException>(() => Router.Fit([], 1)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => Router.Fit([new(1, 1, 1, 1)], -1));
        var store = new BeliefStore();
        store.Write("a", "b");
        store.Write("a", "");
        Assert.Equal((0, 2L), (store.Read().Count, store.Version));
    }
}
