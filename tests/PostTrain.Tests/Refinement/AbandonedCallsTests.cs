using Microsoft.Extensions.AI;
using PostTrain.Data;
using PostTrain.Models.Heads;
using PostTrain.Recipes;
using PostTrain.Refinement;
using PostTrain.Refinement.Instructions;
using PostTrain.Refinement.Writing;
using PostTrain.Rewards;
using PostTrain.Rewards.Judges;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using PostTrain.Text;
using PostTrain.Training;

namespace PostTrain.Tests.Refinement;

/// <summary>Judges, refiners, critics and text sources of a user that never answer and do not heed their token hold no run that is
/// cancelled.</summary>
[Collection("Sequential")]
public sealed class AbandonedCallsTests : IDisposable
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);
    private static readonly Problem[] Problems = [new("1+1=", "2"), new("1+2=", "3")];
    private readonly ManualResetEventSlim end = new();
    private readonly ManualResetEventSlim called = new();
    private readonly TaskCompletionSource answer = new();

    public void Dispose()
    {
        end.Set();
        answer.TrySetResult();
    }

    // Never answers in one of two ways, whatever its token says.
    private async Task<T> Never<T>(bool blocks, T value)
    {
        called.Set();
        if (blocks)
            end.Wait();
        else
            await answer.Task.ConfigureAwait(false);
        return value;
    }

    private async Task EndsWithTheCancellation(Func<CancellationToken, Task> run)
    {
        using var source = new CancellationTokenSource();
        var running = Task.Run(() => run(source.Token));
        Assert.True(called.Wait(Soon));
        Assert.False(running.IsCompleted);
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running.WaitAsync(Soon));
    }

    private static async Task Through<T>(IAsyncEnumerable<T> run)
    {
        await foreach (var _ in run)
            continue;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task PairJudge_OfAiFeedbackAndRlaif(bool blocks)
    {
        using var policy = Toy.Model();
        using var rewardModel = SequenceClassifier.For(Toy.Model(seed: 2));
        PairJudge judge = (_, _, _, _) => Never(blocks, 0.5);
        await EndsWithTheCancellation(stop => Through(AiFeedback.CollectAsync(policy, Toy.Tokenizer, Problems, judge, cancellation: stop)));
        called.Reset();
        await EndsWithTheCancellation(stop =>
            Through(
                new Rlaif(policy, Toy.Tokenizer, judge, new RlaifOptions { RewardModel = rewardModel }).RunAsync(
                    Problems,
                    cancellation: stop
                )
            )
        );
    }

    // The others of a batch have answered; what comes before the judge that hangs is not lost to the next run.
    [Fact]
    public async Task PairJudge_ThatHangsOnce_CanBeAskedAgain()
    {
        using var policy = Toy.Model();
        bool hangs = true;
        PairJudge judge = (problem, _, _, _) => hangs && problem.Answer == "3" ? Never(false, 0.5) : Task.FromResult(0.75);
        var options = new AiFeedbackOptions { PairsPerProblem = 4 };
        var before = Toy.Bytes(policy);
        await EndsWithTheCancellation(stop => Through(AiFeedback.CollectAsync(policy, Toy.Tokenizer, Problems, judge, options, stop)));
        hangs = false;
        int pairs = 0;
        await foreach (var batch in AiFeedback.CollectAsync(policy, Toy.Tokenizer, Problems, judge, options))
            pairs += batch.Pairs.Count + batch.Same + batch.WithoutVerdict;
        Assert.Equal(8, pairs);
        Assert.Equal(before, Toy.Bytes(policy));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task TextSource_OfRefinersAndSelfInstruct(bool blocks)
    {
        var source = TextSource.Of((prompts, _, _) => Never<IReadOnlyList<SourcedText>>(blocks, []));
        await EndsWithTheCancellation(stop => new TextRefiner(source).WriteAsync([new DraftRequest(Problems[0], 0, 0)], stop).AsTask());
        called.Reset();
        await EndsWithTheCancellation(stop => new SelfInstruct([new("Add the two numbers", [new("1, 1", "2")])], source).StepAsync(stop));
        called.Reset();
        await EndsWithTheCancellation(stop =>
            Through(SelfRefinement.RunAsync(Problems, new TextRefiner(new OwnSource(source)), Verifier, cancellation: stop))
        );
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task RefinersAndFeedback_OfSelfRefinement(bool blocks, bool writes)
    {
        var refiner = new OwnRefiner(requests => writes ? Never(blocks, requests) : Task.FromResult(requests));
        var feedback = new OwnFeedback(count => Never(blocks, count));
        await EndsWithTheCancellation(stop => Through(SelfRefinement.RunAsync(Problems, refiner, feedback, cancellation: stop)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ChatClients_OfCriticsJudgesAndSources(bool blocks)
    {
        using var client = new Silent(() => Never(blocks, new ChatResponse()));
        await EndsWithTheCancellation(stop =>
            FeedbackSources.Critic(client).JudgeAsync([new Completion(Problems[0], "2", [], true)], stop).AsTask()
        );
        called.Reset();
        await EndsWithTheCancellation(stop => Judge.Pairs(client)(Problems[0], "1", "2", stop));
        called.Reset();
        await EndsWithTheCancellation(stop => TextSource.Of(client).CompleteAsync(["a"], new TextRequest(), stop));
    }

    // A local model is not left behind: nobody uses it once the run has ended.
    [Fact]
    public async Task LocalModels_HaveEndedWithTheRun()
    {
        var model = Toy.Model();
        using var source = new CancellationTokenSource();
        bool working = false;
        var refiner = new ModelRefiner(
            model,
            Toy.Tokenizer,
            new ModelRefinerOptions
            {
                Sampling = new SamplingOptions
                {
                    MaxNewTokens = 8,
                    Processors =
                    [
                        (scores, _, _) =>
                        {
                            working = true;
                            source.Cancel();
                            Thread.Sleep(200);
                            working = false;
                            return scores + 0;
                        },
                    ],
                },
            }
        );
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            Through(SelfRefinement.RunAsync(Problems, refiner, Verifier, cancellation: source.Token))
        );
        Assert.False(working);
        Assert.True(model.training);
        model.Dispose();
    }

    private static IFeedbackSource Verifier => FeedbackSources.Verifier(Reward.Of("none", _ => 0));

    private sealed class OwnSource(ITextSource inner) : ITextSource
    {
        public Task<IReadOnlyList<SourcedText>> CompleteAsync(
            IReadOnlyList<MarkedText> prompts,
            TextRequest request,
            CancellationToken cancellation = default
        ) => inner.CompleteAsync(prompts, request, cancellation);
    }

    private sealed class OwnRefiner(Func<IReadOnlyList<DraftRequest>, Task<IReadOnlyList<DraftRequest>>> write) : IRefiner
    {
        public async ValueTask<IReadOnlyList<Draft?>> WriteAsync(
            IReadOnlyList<DraftRequest> requests,
            CancellationToken cancellation = default
        ) =>
            [
                .. (await write(requests).ConfigureAwait(false)).Select(request => new Draft(
                    request.Problem.Prompt,
                    new Completion(request.Problem, "2", [], true)
                )),
            ];
    }

    private sealed class OwnFeedback(Func<int, Task<int>> judge) : IFeedbackSource
    {
        public async ValueTask<IReadOnlyList<Feedback>> JudgeAsync(
            IReadOnlyList<Completion> attempts,
            CancellationToken cancellation = default
        ) => [.. Enumerable.Repeat(new Feedback("", 1, true), await judge(attempts.Count).ConfigureAwait(false))];
    }

    private sealed class Silent(Func<Task<ChatResponse>> respond) : IChatClient
    {
        public Task<ChatResponse> GetResponseAsync(
            IEnumerable<ChatMessage> messages,
            ChatOptions? options = null,
            CancellationToken cancellationToken = default
        ) => respond();

        public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages,
            ChatOptions? options = null,
            CancellationToken cancellationToken = default
        ) => throw new NotSupportedException();

        public object? GetService(Type serviceType, object? serviceKey = null) => null;

        public void Dispose() { }
    }
}
