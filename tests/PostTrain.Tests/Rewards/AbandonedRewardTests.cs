using PostTrain.Data;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rewards.Steps;
using PostTrain.Tests.Policy;
using PostTrain.Tests.Support;
using PostTrain.Training;

namespace PostTrain.Tests.Rewards;

/// <summary>Rewards that never answer and do not heed their token hold nobody who cancels.</summary>
[Collection("Sequential")]
public sealed class AbandonedRewardTests : IDisposable
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);
    private readonly ManualResetEventSlim end = new();
    private readonly ManualResetEventSlim called = new();
    private readonly TaskCompletionSource answer = new();

    public void Dispose()
    {
        end.Set();
        answer.TrySetResult();
    }

    private IReward Awaiting =>
        Reward.OfAll(
            "awaiting",
            async (completions, _, _) =>
            {
                called.Set();
                await answer.Task.ConfigureAwait(false);
                return [.. completions.Select(_ => 1.0)];
            }
        );

    private IReward Blocking =>
        Reward.Of(
            "blocking",
            _ =>
            {
                called.Set();
                end.Wait();
                return 1;
            }
        );

    private IReward Throwing =>
        Reward.OfAll(
            "throwing",
            async (_, _, _) =>
            {
                called.Set();
                await answer.Task.ConfigureAwait(false);
                throw new InvalidOperationException("nobody hears this");
            }
        );

    public static TheoryData<string> Kinds =>
        ["awaiting", "blocking", "throwing", "weighted", "batched", "retried", "limited", "or not applicable", "clipped"];

    private IReward Of(string kind) =>
        kind switch
        {
            "awaiting" => Awaiting,
            "blocking" => Blocking,
            "throwing" => Throwing,
            "weighted" => Reward.Weighted((1, GrpoRuns.Even), (1, Blocking)),
            "batched" => Awaiting.Batched(new BatchOptions { Size = 1 }),
            "retried" => Blocking.WithRetries(),
            "limited" => Blocking.WithTimeout(TimeSpan.FromHours(1)),
            "or not applicable" => Awaiting.OrNotApplicable(),
            _ => Blocking.Clipped(0, 1),
        };

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Scoring_EndsWithTheCancellation(string kind)
    {
        using var source = new CancellationTokenSource();
        var completions = new[] { new Completion(new Problem("0="), "a", [1], true), new Completion(new Problem("1="), "b", [2], true) };
        var scoring = Task.Run(async () => await Scoring.ScoreCheckedAsync(Of(kind), completions, cancellation: source.Token));
        Assert.True(called.Wait(Soon));
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => scoring.WaitAsync(Soon));
    }

    [Theory]
    [InlineData("awaiting", false)]
    [InlineData("blocking", false)]
    [InlineData("awaiting", true)]
    [InlineData("blocking", true)]
    public async Task Run_EndsWithTheCancellation_AndGoesOnAsIfNothingHadBeen(string kind, bool inEvaluation)
    {
        using var directory = new TemporaryDirectory();
        using var expected = Toy.Model();
        using var model = Toy.Model();
        var options = GrpoRuns.Small with
        {
            Steps = 3,
            UpdatesPerBatch = 2,
            Evaluation = new EvaluationOptions
            {
                Every = 2,
                Metric = "eval/reward/mean",
                HigherIsBetter = true,
            },
        };
        var whole = new List<StepReport>();
        using (var trainer = new GrpoTrainer(expected, Toy.Tokenizer, GrpoRuns.Even, options))
            await foreach (var report in trainer.RunAsync(GrpoRuns.Problems, GrpoRuns.Problems))
                whole.Add(report);

        using var source = new CancellationTokenSource();
        bool holds = true;
        int calls = 0;
        // The calls: step 1, step 2, its evaluation.
        var never = new Switched(() => holds && ++calls == (inEvaluation ? 3 : 2), Of(kind), GrpoRuns.Even);
        using var interrupted = new GrpoTrainer(model, Toy.Tokenizer, never, options with { CheckpointDirectory = directory.Path });
        var reports = new List<StepReport>();
        async Task Loop(CancellationToken cancellation)
        {
            await foreach (var report in interrupted.RunAsync(GrpoRuns.Problems, GrpoRuns.Problems, cancellation))
                reports.Add(report);
        }

        var run = Task.Run(() => Loop(source.Token));
        Assert.True(called.Wait(Soon));
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run.WaitAsync(Soon));
        Assert.Equal(inEvaluation ? 2 : 1, interrupted.StepsDone);
        Assert.Equal(directory.File($"checkpoint-{interrupted.StepsDone:D8}"), Checkpoint.Latest(directory.Path));
        holds = false;
        await Loop(CancellationToken.None);
        Assert.Equal(whole.Select(Toy.Numbers), reports.Select(Toy.Numbers));
        Assert.Equal(Toy.Bytes(expected), Toy.Bytes(model));
    }

    [Fact]
    public async Task TokenReward_EndsWithTheCancellation()
    {
        using var model = Toy.Model();
        using var source = new CancellationTokenSource();
        var tokens = TokenReward.Of(
            "tokens",
            completion =>
            {
                called.Set();
                end.Wait();
                return new double[completion.Tokens.Length];
            }
        );
        using var trainer = new PpoTrainer(
            model,
            Toy.Tokenizer,
            GrpoRuns.Even,
            new PpoOptions
            {
                Steps = 1,
                BatchSize = 2,
                Kl = KlControl.Fixed(0),
                Critic = ValueHead.For(model),
                TokenReward = tokens,
            }
        );
        var step = Task.Run(() => trainer.StepAsync([new Problem("0=")], source.Token));
        Assert.True(called.Wait(Soon));
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => step.WaitAsync(Soon));
        Assert.Equal(0, trainer.StepsDone);
    }

    // What is synchronous leaves the caller on its thread, with a token too.
    [Fact]
    public void SynchronousReward_KeepsTheThread()
    {
        using var source = new CancellationTokenSource();
        int before = Environment.CurrentManagedThreadId;
        var scoring = Scoring.ScoreCheckedAsync(
            GrpoRuns.Even,
            [new Completion(new Problem("0="), "a", [1], true)],
            cancellation: source.Token
        );
        Assert.True(scoring.IsCompletedSuccessfully);
        Assert.Equal(before, Environment.CurrentManagedThreadId);
    }

    // Answers with the one or the other.
    private sealed class Switched(Func<bool> first, IReward one, IReward other) : IReward
    {
        public string Name => other.Name;

        public async ValueTask<RewardScores> ScoreAsync(
            IReadOnlyList<Completion> completions,
            RewardContext context,
            CancellationToken cancellation = default
        ) => await (first() ? one : other).ScoreAsync(completions, context, cancellation).ConfigureAwait(false);
    }
}
