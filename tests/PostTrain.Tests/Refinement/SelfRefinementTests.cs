using System.Globalization;
using PostTrain.Data;
using PostTrain.Exact;
using PostTrain.Numerics;
using PostTrain.Refinement;
using PostTrain.Rewards;

namespace PostTrain.Tests.Refinement;

public sealed class SelfRefinementTests
{
    private const string Right = "right",
        Wrong = "wrong";
    private static readonly IReward Gold = Reward.Of("gold", completion => completion.Text == Right ? 1 : 0);
    private static readonly IReward Number = Reward.Of(
        "number",
        completion => completion.Text == "?" ? double.NaN : double.Parse(completion.Text, CultureInfo.InvariantCulture)
    );

    [Fact]
    public async Task Rounds_OnAllPaths_AreTheChain_Exactly()
    {
        // Every way that the dice can fall, once: p_0 = 1/4, a = 1/4, b = 1/2.
        var rounds = await Run(AllPaths(), FeedbackSources.Score(Gold), new SelfRefinementOptions { Rounds = 3, Gold = Gold });
        var chain = new RefinementChain(0.25, 0.5);
        Assert.Equal(4, rounds.Count);
        foreach (var round in rounds)
        {
            Assert.Equal(chain.Accuracy(0.25, round.Round), round.Accuracy!.Value, 14);
            Assert.Equal(256, round.Revised);
            if (round.Round == 0)
                continue;
            Assert.Equal((0.25, 0.5), (round.Transitions!.Repaired.Value, round.Transitions.Spoiled.Value));
            Assert.Equal(chain, round.Transitions.Chain);
        }
    }

    [Fact]
    public async Task Verifier_OnAllPaths_SpoilsNothing_AndComesToOne()
    {
        var refiner = AllPaths();
        var rounds = await Run(refiner, FeedbackSources.Verifier(Gold), new SelfRefinementOptions { Rounds = 3, Gold = Gold });
        foreach (var round in rounds)
        {
            Assert.Equal(1 - 0.75 * Math.Pow(0.75, round.Round), round.Accuracy!.Value, 14);
            Assert.Equal(round.Accuracy.Successes, round.Accepted);
            if (round.Round == 0)
                continue;
            Assert.Equal(0, round.Transitions!.RightToWrong);
            // What was accepted is not asked for again.
            Assert.Equal(256 - rounds[round.Round - 1].Accepted, refiner.Calls[round.Round].Count);
            Assert.All(
                refiner.Calls[round.Round],
                request => Assert.Equal((Wrong, "This is wrong."), (request.Earlier!.Text, request.Feedback!.Text))
            );
        }
    }

    [Fact]
    public async Task Rounds_OfARandomRefiner_LieWithinTheirIntervalsOfTheChain()
    {
        var (chain, initial) = (new RefinementChain(0.3, 0.1), 0.2);
        var refiner = new FunctionRefiner(request =>
        {
            double dice = CounterRandom.Uniform(7, (ulong)request.Index, (ulong)request.Round);
            return request.Earlier is null
                ? dice < initial
                    ? Right
                    : Wrong
                : request.Earlier.Text == Right
                    ? dice < chain.Spoil
                        ? Wrong
                        : Right
                    : dice < chain.Repair
                        ? Right
                        : Wrong;
        });
        var problems = Enumerable.Range(0, 4000).Select(i => new Problem($"{i}")).ToArray();
        var rounds = await Run(refiner, FeedbackSources.Score(Gold), new SelfRefinementOptions { Rounds = 6, Gold = Gold }, problems);
        foreach (var round in rounds)
        {
            Inside(chain.Accuracy(initial, round.Round), round.Accuracy!);
            if (round.Round == 0)
                continue;
            Inside(chain.Repair, round.Transitions!.Repaired);
            Inside(chain.Spoil, round.Transitions.Spoiled);
            // The identity of a single round holds whatever was measured.
            Assert.Equal(round.Transitions.Chain!.Accuracy(round.Transitions.Before.Value, 1), round.Transitions.After.Value, 12);
        }
        var pooled = TransitionTable.Sum(rounds.Skip(1).Select(round => round.Transitions!));
        Inside(chain.Repair, pooled.Repaired);
        Assert.Equal(6 * 4000, pooled.Before.Trials);

        static void Inside(double expected, PostTrain.Training.Reports.Proportion measured)
        {
            var interval = measured.Interval(0.999);
            Assert.InRange(expected, interval.Lower, interval.Upper);
        }
    }

    [Fact]
    public async Task KeepBetter_ByHand()
    {
        // Better, equal, worse: the second text stands, and it is what is revised from then on.
        var refiner = new FunctionRefiner(request => new[] { "0.3", "0.5", "0.5", "0.4" }[request.Round]);
        var rounds = await Run(
            refiner,
            FeedbackSources.Score(Number),
            new SelfRefinementOptions { Rule = RefinementRule.KeepBetter },
            [new("x")]
        );
        Assert.Equal([0.3, 0.5, 0.5, 0.5], rounds.Select(round => round.MeanScore));
        Assert.Equal(["0.3", "0.5", "0.5"], refiner.Calls.Skip(1).Select(call => call.Single().Earlier!.Text));
        var trace = rounds[^1].Traces.Single();
        Assert.Equal([true, true, false, false], trace.Attempts.Select(attempt => attempt.Kept));
        Assert.Equal(["0.3", "0.5", "0.5", "0.5"], Enumerable.Range(0, 4).Select(round => trace.At(round).Completion.Text));
        Assert.Equal("0.4", trace.Attempts[3].Completion.Text);
        Assert.Null(rounds[1].Transitions);
        Assert.Null(rounds[1].Accuracy);

        // With the other rule the last one stands.
        var taken = await Run(refiner, FeedbackSources.Score(Number), new SelfRefinementOptions(), [new("x")]);
        Assert.Equal(0.4, taken[^1].MeanScore);
    }

    [Fact]
    public async Task KeepBetter_WhatHasNoScore_LosesToWhatHasOne()
    {
        var refiner = new FunctionRefiner(request => new[] { "?", "?", "-3", "?" }[request.Round]);
        var rounds = await Run(
            refiner,
            FeedbackSources.Score(Number),
            new SelfRefinementOptions { Rule = RefinementRule.KeepBetter },
            [new("x")]
        );
        Assert.Equal([true, false, true, false], rounds[^1].Traces.Single().Attempts.Select(attempt => attempt.Kept));
        Assert.Equal([double.NaN, double.NaN, -3, -3], rounds.Select(round => round.MeanScore));
        Assert.Equal(0, rounds[^1].Accepted);
    }

    [Fact]
    public async Task Run_EndsWhereNothingIsLeft_AndAProblemThatCannotBeRevisedKeepsItsText()
    {
        var refiner = new FunctionRefiner(request =>
            (request.Problem.Prompt.Text, request.Round) switch
            {
                ("hard", 0) => Wrong,
                ("hard", _) => null,
                (_, 0) => Wrong,
                _ => Right,
            }
        );
        var rounds = await Run(
            refiner,
            FeedbackSources.Verifier(Gold),
            new SelfRefinementOptions { Rounds = 9, Gold = Gold },
            [new("hard"), new("easy")]
        );
        Assert.Equal([2, 1], rounds.Select(round => round.Revised));
        Assert.Equal(
            (1, false, Wrong),
            (rounds[1].Traces[0].Attempts.Count, rounds[1].Traces[0].IsOpen, rounds[1].Traces[0].Current.Completion.Text)
        );
        Assert.Equal(new TransitionTable(0, 0, 1, 1), rounds[1].Transitions);
        Assert.Null(rounds[1].Transitions!.Chain);
        Assert.Single(await Run(refiner, FeedbackSources.Verifier(Gold), new SelfRefinementOptions { Rounds = 0 }, [new("hard")]));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Cancellation_WithinARound_LeavesTheRoundsBefore(bool inRefiner)
    {
        using var source = new CancellationTokenSource();
        var refiner = new FunctionRefiner(request =>
        {
            if (inRefiner && request is { Round: 2, Index: 1 })
                source.Cancel();
            return request.Round == 2 ? "2" : Wrong;
        });
        var feedback = FeedbackSources.Score(
            Reward.Of(
                "length",
                completion =>
                {
                    if (!inRefiner && completion.Text == "2")
                        source.Cancel();
                    return completion.Text.Length;
                }
            )
        );
        var rounds = new List<RefinementRound>();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (
                var round in SelfRefinement.RunAsync(
                    [new("a"), new("b"), new("c")],
                    refiner,
                    feedback,
                    new SelfRefinementOptions { Rounds = 5 },
                    source.Token
                )
            )
                rounds.Add(round);
        });
        Assert.Equal([0, 1], rounds.Select(round => round.Round));
        Assert.All(rounds[1].Traces, trace => Assert.Equal(2, trace.Attempts.Count));
        Assert.All(rounds[0].Traces, trace => Assert.Single(trace.Attempts));
    }

    [Fact]
    public async Task Errors_NameWhoGaveWhat()
    {
        var refiner = new FunctionRefiner(_ => Wrong);
        Problem[] two = [new("a"), new("b")];
        Assert.Contains(
            "at least one problem",
            (await Assert.ThrowsAsync<ArgumentException>(() => Run(refiner, FeedbackSources.Score(Gold), new(), []))).Message,
            StringComparison.Ordinal
        );
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() =>
            Run(refiner, FeedbackSources.Score(Gold), new SelfRefinementOptions { Rounds = -1 }, two)
        );
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() =>
            Run(refiner, FeedbackSources.Score(Gold), new SelfRefinementOptions { Rule = (RefinementRule)7 }, two)
        );
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => Run(refiner, new Silent(), new(), two));
        Assert.Contains("the feedback source gave 1 judgements, expected 2", error.Message, StringComparison.Ordinal);
        error = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            Run(new FunctionRefiner(_ => null), FeedbackSources.Score(Gold), new(), two)
        );
        Assert.Contains("no first attempt", error.Message, StringComparison.Ordinal);
        var rounds = await Run(refiner, FeedbackSources.Score(Gold), new(), two);
        Assert.Contains(
            "Gold",
            Assert.Throws<ArgumentException>(() => TransitionTable.Between(rounds[^1].Traces, 0, 1)).Message,
            StringComparison.Ordinal
        );
    }

    // Four dice of four sides: the first says whether the first attempt is right, the others what the revisions do.
    private static FunctionRefiner AllPaths() =>
        new(request =>
        {
            int dice = request.Index >> (2 * request.Round) & 3;
            return request.Earlier?.Text switch
            {
                Right => dice < 2 ? Wrong : Right,
                _ => dice < 1 ? Right : Wrong,
            };
        });

    private static async Task<List<RefinementRound>> Run(
        IRefiner refiner,
        IFeedbackSource feedback,
        SelfRefinementOptions options,
        Problem[]? problems = null
    )
    {
        var rounds = new List<RefinementRound>();
        await foreach (
            var round in SelfRefinement.RunAsync(
                problems ?? [.. Enumerable.Range(0, 256).Select(i => new Problem($"{i}"))],
                refiner,
                feedback,
                options
            )
        )
            rounds.Add(round);
        return rounds;
    }

    private sealed class Silent : IFeedbackSource
    {
        public ValueTask<IReadOnlyList<Feedback>> JudgeAsync(
            IReadOnlyList<Completion> attempts,
            CancellationToken cancellation = default
        ) => ValueTask.FromResult<IReadOnlyList<Feedback>>([new("", 0, false)]);
    }
}
