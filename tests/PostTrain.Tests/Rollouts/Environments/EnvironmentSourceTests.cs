using System.Runtime.CompilerServices;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Environments;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Rollouts.Environments;

/// <summary>Turns and observations in one completion, budgets, and environments that hang or fail.</summary>
public sealed class EnvironmentSourceTests
{
    private static readonly SamplingOptions Sampling = new() { MaxNewTokens = 8, Recording = LogProbRecording.Drawn };

    [Fact]
    public async Task AnEnvironmentThatNeverAnswers_ChangesNothing()
    {
        using var model = Toy.Model();
        int[][] prompts =
        [
            [1, 2],
            [3],
            [4, 5],
        ];
        var sampling = Sampling with { StopTokens = [2, 3, 4] };
        var request = RolloutRequest.Of(model, prompts, sampling, seed: 7);
        var source = RolloutSource.Of(model, Toy.Tokenizer);
        var expected = await source.CollectAsync(request);
        var silent = RolloutEnvironment.Of("silent", (_, _) => Task.FromResult<string?>(null));
        var samples = await RolloutEnvironment.Source(source, new EnvironmentOptions(silent), Toy.Tokenizer).CollectAsync(request);
        foreach (var (one, other) in expected.Zip(samples))
        {
            Assert.Equal(one.Tokens, other.Tokens);
            Assert.Equal(one.LogProbs, other.LogProbs);
            Assert.Equal(one.Finish, other.Finish);
            Assert.Null(other.Drawn);
        }
    }

    /// <summary>The source writes "12" in each turn; the environment answers "=3" and then nothing.</summary>
    [Fact]
    public async Task Observations_StandBetweenTurns_AndAreNotThePolicys()
    {
        var seen = new List<PolicyTurn>();
        var environment = RolloutEnvironment.Of(
            "sum",
            start =>
            {
                Assert.Equal("0+", start.Prompt);
                return (turn, _) =>
                {
                    lock (seen)
                        seen.Add(turn);
                    return Task.FromResult(turn.Number == 1 ? "=3" : null);
                };
            }
        );
        var contexts = new List<string>();
        var (sample, _) = await One(new EnvironmentOptions(environment), Writing("12", contexts));
        Assert.Equal("12=312", Toy.Tokenizer.Decode(sample.Tokens));
        Assert.Equal([true, true, false, false, true, true], sample.Drawn!);
        Assert.Equal([-1, -2, 0, 0, -1, -2], sample.LogProbs);
        Assert.Equal(RolloutFinish.Stop, sample.Finish);
        Assert.Equal(["0+", "0+12=3"], contexts);
        Assert.Equal([1, 2], seen.Select(turn => turn.Number));
        Assert.All(seen, turn => Assert.Equal("12", turn.Text));
        using var batch = RolloutBatch.Of([Toy.Tokenizer.Encode("0+")], [sample], Toy.Tokenizer.PaddingId);
        Assert.Equal([1, 1, 0, 0, 1, 1], Numbers.Values(batch.CompletionMask));
        Assert.Equal(Enumerable.Repeat(1.0, 8), Numbers.Values(batch.AttentionMask));
        Assert.Equal([true], batch.Finished);
    }

    [Fact]
    public async Task AnEnvironmentThatNeverEnds_IsStoppedByTheTurns()
    {
        var (sample, calls) = await One(new EnvironmentOptions(Endless("=")) { MaxTurns = 2 }, Writing("1"));
        Assert.Equal("1=1", Toy.Tokenizer.Decode(sample.Tokens));
        Assert.Equal(RolloutFinish.Turns, sample.Finish);
        Assert.Equal(2, calls);
    }

    [Theory]
    // 8 tokens: 1== is 3, three times; the third observation leaves no token for an answer.
    [InlineData("==", "1==1==1", RolloutFinish.Length)]
    // An observation that is longer than what is left.
    [InlineData("=========", "1", RolloutFinish.Length)]
    public async Task AnEnvironmentThatNeverEnds_IsStoppedByTheTokens(string observation, string text, RolloutFinish finish)
    {
        var (sample, _) = await One(new EnvironmentOptions(Endless(observation)) { MaxTurns = 100 }, Writing("1"));
        Assert.Equal(text, Toy.Tokenizer.Decode(sample.Tokens));
        Assert.Equal(finish, sample.Finish);
    }

    [Fact]
    public async Task ATurnsOwnBudget_CutsIt_AndTheEnvironmentSeesIt()
    {
        var seen = new List<PolicyTurn>();
        var environment = RolloutEnvironment.Of(
            "reader",
            (turn, _) =>
            {
                seen.Add(turn);
                return Task.FromResult(turn.Number < 3 ? "=" : null);
            }
        );
        var (sample, _) = await One(new EnvironmentOptions(environment) { MaxTurnTokens = 2 }, Writing("1234"));
        Assert.Equal("12=12=12", Toy.Tokenizer.Decode(sample.Tokens));
        Assert.Equal(RolloutFinish.Length, sample.Finish);
        Assert.All(seen, turn => Assert.Equal(RolloutFinish.Length, turn.Finish));
        // The third turn fills the completion: nobody is asked.
        Assert.Equal(2, seen.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AHangingEnvironment_IsCutOff(bool blocks)
    {
        using var end = new ManualResetEventSlim();
        var hanging = RolloutEnvironment.Of(
            "hanging",
            async (_, _) =>
            {
                if (blocks)
                    end.Wait(CancellationToken.None);
                else
                    await Task.Delay(Timeout.Infinite, CancellationToken.None);
                return "=";
            }
        );
        var options = new EnvironmentOptions(hanging) { CallTimeout = TimeSpan.FromMilliseconds(50) };
        var (sample, _) = await One(options, Writing("1")).WaitAsync(TimeSpan.FromSeconds(20));
        end.Set();
        Assert.Equal("1", Toy.Tokenizer.Decode(sample.Tokens));
        Assert.Equal(RolloutFinish.Timeout, sample.Finish);
    }

    [Fact]
    public async Task AFailingEnvironment_IsNamedWithTurnAndRow_AndACancellationEndsIt()
    {
        var failing = RolloutEnvironment.Of(
            "failing",
            (turn, _) => turn.Number == 2 ? throw new InvalidOperationException("no more") : Task.FromResult<string?>("=")
        );
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => One(new EnvironmentOptions(failing), Writing("1")));
        Assert.Equal("failing failed at turn 2 of row 0: no more", error.Message);
        using var stop = new CancellationTokenSource();
        var patient = RolloutEnvironment.Of(
            "patient",
            async (_, token) =>
            {
                await stop.CancelAsync();
                await Task.Delay(Timeout.Infinite, token);
                return null;
            }
        );
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => One(new EnvironmentOptions(patient), Writing("1"), stop.Token));
    }

    [Fact]
    public async Task AFailureAtTheBeginningOrTheEnd_NamesTheEnvironmentAndTheRow()
    {
        static Exception Broken(string when) => new InvalidOperationException($"broken {when}");
        var beginning = new Counting { AtBeginning = Broken("early") };
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => One(new EnvironmentOptions(beginning), Writing("1")));
        Assert.Equal("counting failed at the beginning of row 0: broken early", error.Message);
        var end = new Counting { AtTurn = null, AtEnd = Broken("late") };
        error = await Assert.ThrowsAsync<InvalidOperationException>(() => One(new EnvironmentOptions(end), Writing("1")));
        Assert.Equal("counting failed at the end of row 0: broken late", error.Message);
        // The first error stays.
        var both = new Counting { AtTurn = Broken("at a turn"), AtEnd = Broken("late") };
        error = await Assert.ThrowsAsync<InvalidOperationException>(() => One(new EnvironmentOptions(both), Writing("1")));
        Assert.Equal("counting failed at turn 1 of row 0: broken at a turn", error.Message);
    }

    [Fact]
    public async Task AnObservationThatTheTokenizerLacks_NamesTheEnvironmentTurnAndRow()
    {
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => One(new EnvironmentOptions(Endless("é")), Writing("1")));
        Assert.StartsWith(
            "the tokenizer cannot encode what endless answered at turn 1 of row 0: ",
            error.Message,
            StringComparison.Ordinal
        );
        Assert.Contains("'é'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Episodes_AreDisposed_WhenARowFails()
    {
        var environment = new Counting();
        await Assert.ThrowsAsync<InvalidOperationException>(() => One(new EnvironmentOptions(environment), Writing("1")));
        Assert.Equal((1, 1), (environment.Begun, environment.Disposed));
    }

    [Fact]
    public void Options_AreChecked()
    {
        var silent = RolloutEnvironment.Of("silent", (_, _) => Task.FromResult<string?>(null));
        void Refused(string name, EnvironmentOptions options) =>
            Assert.Equal(
                name,
                Assert.ThrowsAny<ArgumentException>(() => RolloutEnvironment.Source(Writing("1"), options, Toy.Tokenizer)).ParamName
            );
        Refused("MaxTurns", new EnvironmentOptions(silent) { MaxTurns = 0 });
        Refused("MaxTurnTokens", new EnvironmentOptions(silent) { MaxTurnTokens = 0 });
        Refused("CallTimeout", new EnvironmentOptions(silent) { CallTimeout = TimeSpan.Zero });
        Refused("MaxConcurrentCalls", new EnvironmentOptions(silent) { MaxConcurrentCalls = 0 });
        Refused("Environment", new EnvironmentOptions(null!));
    }

    private static IEnvironment Endless(string observation) =>
        RolloutEnvironment.Of("endless", (_, _) => Task.FromResult<string?>(observation));

    // A source that writes the same text in every turn, at most as much as it is asked for.
    private static IRolloutSource Writing(string text, List<string>? contexts = null)
    {
        async IAsyncEnumerable<RolloutSample> Write(RolloutRequest request, [EnumeratorCancellation] CancellationToken cancellation)
        {
            await Task.Yield();
            cancellation.ThrowIfCancellationRequested();
            for (int row = 0; row < request.Prompts.Count; row++)
            {
                contexts?.Add(Toy.Tokenizer.Decode(request.Prompts[row]));
                int[] tokens = [.. Toy.Tokenizer.Encode(text).Take(request.LimitOf(row))];
                yield return new RolloutSample(
                    row,
                    tokens,
                    [.. tokens.Select((_, i) => -1.0 - i)],
                    tokens.Length < text.Length ? RolloutFinish.Length : RolloutFinish.Stop
                );
            }
        }
        return RolloutSource.Of("writer", Write);
    }

    private static async Task<(RolloutSample Sample, int Calls)> One(
        EnvironmentOptions options,
        IRolloutSource source,
        CancellationToken cancellation = default
    )
    {
        int calls = 0;
        var counted = options with { Environment = new Counted(options.Environment, () => Interlocked.Increment(ref calls)) };
        var request = new RolloutRequest([Toy.Tokenizer.Encode("0+")], Sampling, 1);
        var samples = await RolloutEnvironment.Source(source, counted, Toy.Tokenizer).CollectAsync(request, cancellation);
        return (Assert.Single(samples), calls);
    }

    private sealed class Counted(IEnvironment inner, Action called) : IEnvironment
    {
        public string Name => inner.Name;

        public IEpisode Begin(EpisodeStart start) => new Episode(inner.Begin(start), called);

        private sealed class Episode(IEpisode episode, Action called) : IEpisode
        {
            public Task<string?> ObserveAsync(PolicyTurn turn, CancellationToken cancellation = default)
            {
                called();
                return episode.ObserveAsync(turn, cancellation);
            }

            public ValueTask DisposeAsync() => episode.DisposeAsync();
        }
    }

    private sealed class Counting : IEnvironment, IEpisode
    {
        public string Name => "counting";

        internal int Begun { get; private set; }

        internal int Disposed { get; private set; }

        internal Exception? AtBeginning { get; init; }

        internal Exception? AtTurn { get; init; } = new InvalidOperationException("broken");

        internal Exception? AtEnd { get; init; }

        public IEpisode Begin(EpisodeStart start)
        {
            Begun++;
            return AtBeginning is null ? this : throw AtBeginning;
        }

        public Task<string?> ObserveAsync(PolicyTurn turn, CancellationToken cancellation = default) =>
            AtTurn is null ? Task.FromResult<string?>(null) : throw AtTurn;

        public ValueTask DisposeAsync()
        {
            Disposed++;
            return AtEnd is null ? ValueTask.CompletedTask : throw AtEnd;
        }
    }
}
