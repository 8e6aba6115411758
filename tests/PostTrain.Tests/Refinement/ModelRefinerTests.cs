using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Refinement;
using PostTrain.Refinement.Writing;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using TorchSharp;

namespace PostTrain.Tests.Refinement;

[Collection("Sequential")]
public sealed class ModelRefinerTests
{
    private static readonly RevisionTemplate Short = new()
    {
        Format = "{problem}{attempt}+{feedback}",
        QuoteAttempt = text => text[..Math.Min(2, text.Length)],
    };
    private static readonly ModelRefinerOptions Options = new()
    {
        Template = Short,
        Sampling = new SamplingOptions { MaxNewTokens = 5 },
        Seed = 3,
    };

    [Fact]
    public async Task Write_DependsOnNothingButTheRequest()
    {
        using var model = Toy.Model();
        DraftRequest[] requests = [.. Enumerable.Range(0, 9).Select(i => new DraftRequest(new Problem($"{i}+{i * i}="), i, 0))];
        var all = await new ModelRefiner(model, Toy.Tokenizer, Options).WriteAsync(requests);
        var few = await new ModelRefiner(model, Toy.Tokenizer, Options with { BatchSize = 2 }).WriteAsync([requests[7], requests[2]]);
        Assert.Equal([all[7]!.Completion.Text, all[2]!.Completion.Text], few.Select(draft => draft!.Completion.Text));
        Assert.Equal(requests.Select(request => request.Problem.Prompt), all.Select(draft => draft!.Prompt));
        Assert.Equal(requests.Select(request => request.Problem), all.Select(draft => draft!.Completion.Problem));
        Assert.True(all.Select(draft => draft!.Completion.Text).Distinct().Count() > 5);
        // The same prompt in another round, or under another seed, is another draw.
        var later = await new ModelRefiner(model, Toy.Tokenizer, Options).WriteAsync([
            .. requests.Select(request => request with { Round = 1 }),
        ]);
        Assert.NotEqual(all.Select(draft => draft!.Completion.Text), later.Select(draft => draft!.Completion.Text));
    }

    [Fact]
    public async Task Write_ARevision_IsAskedByTheTemplate_WhereItFits()
    {
        using var model = Toy.Model();
        var problem = new Problem("1+1=");
        var feedback = new Feedback("f", 0, false);
        var (fits, exact, tooLong) = (
            new Completion(problem, "3", [], true),
            new Completion(new Problem("123+456="), "99", [], true),
            new Completion(new Problem("1234+456="), "99", [], true)
        );
        var drafts = await new ModelRefiner(model, Toy.Tokenizer, Options).WriteAsync([
            new(problem, 0, 1, fits, feedback),
            new(tooLong.Problem, 1, 1, tooLong, new Feedback("", 0, false)),
            new(exact.Problem, 2, 1, exact, new Feedback("", 0, false)),
        ]);
        Assert.Equal("1+1=3+f", drafts[0]!.Prompt);
        Assert.Equal(problem, drafts[0]!.Completion.Problem);
        // 11 tokens and 5 to come are the context of 16; 12 are not asked.
        Assert.Equal("123+456=99+", drafts[2]!.Prompt);
        Assert.Null(drafts[1]);

        var error = await Assert.ThrowsAsync<ArgumentException>(async () =>
            await new ModelRefiner(model, Toy.Tokenizer, Options).WriteAsync([new(new Problem("1234567890123456"), 3, 0)])
        );
        Assert.Contains("problem 3 has a prompt of 16 tokens, expected 1 to 15", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new ModelRefiner(model, Toy.Tokenizer, new ModelRefinerOptions { BatchSize = 0 }));
    }

    [Fact]
    public async Task Run_LeavesTheModelAsItWas_AndNothingBehind()
    {
        using var model = Toy.Model();
        Problem[] problems = [new("1+1=", "2"), new("1+2=", "3")];
        async Task Run()
        {
            await foreach (
                var round in SelfRefinement.RunAsync(
                    problems,
                    new ModelRefiner(model, Toy.Tokenizer, Options),
                    FeedbackSources.Score(SelfRewards.MeanLogProb(model, Toy.Tokenizer), (_, _) => "f"),
                    new SelfRefinementOptions { Rounds = 1, Rule = RefinementRule.KeepBetter }
                )
            )
                Assert.InRange(round.MeanScore, double.NegativeInfinity, 0);
        }
        await Run();
        model.train();
        var bytes = Toy.Bytes(model);
        long alive = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        await Run();
        Assert.Equal(alive, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
        Assert.True(model.training);
        Assert.Equal(bytes, Toy.Bytes(model));
        using var source = new CancellationTokenSource();
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            await new ModelRefiner(model, Toy.Tokenizer, Options).WriteAsync([new(problems[0], 0, 0)], source.Token)
        );
        Assert.True(model.training);
    }

    [Fact]
    public async Task MeanLogProb_IsTheModels_TokenByToken()
    {
        using var model = Toy.Model();
        Completion[] completions =
        [
            new(new Problem("1+1="), "23", [], false),
            new(new Problem("12+13="), "25", [], true),
            new(new Problem("9="), "", [], false),
        ];
        var scores = await SelfRewards.MeanLogProb(model, Toy.Tokenizer, batchSize: 2).ScoreAsync(completions, RewardContext.None);
        Assert.Equal(Mean(model, "1+1=", "23", ends: false), scores.Values[0], 5);
        Assert.Equal(Mean(model, "12+13=", "25", ends: true), scores.Values[1], 5);
        Assert.True(double.IsNaN(scores.Values[2]));
        await Assert.ThrowsAsync<ArgumentException>(async () =>
            await SelfRewards
                .MeanLogProb(model, Toy.Tokenizer)
                .ScoreAsync([new(new Problem("1+1="), "1234567890123456", [], true)], RewardContext.None)
        );
    }

    [Fact]
    public async Task Verdict_ComparesTheTwoWords()
    {
        using var model = Toy.Model();
        var completion = new Completion(new Problem("1+1="), "2", [], true);
        var reward = SelfRewards.Verdict(model, Toy.Tokenizer, asked => asked.Problem.Prompt + asked.Text + "=", yes: "a", no: "bc");
        double yes = Sum(model, "1+1=2=", "a"),
            no = Sum(model, "1+1=2=", "bc");
        Assert.Equal(
            Math.Exp(yes) / (Math.Exp(yes) + Math.Exp(no)),
            (await reward.ScoreAsync([completion], RewardContext.None)).Values.Single(),
            5
        );
        var turned = SelfRewards.Verdict(model, Toy.Tokenizer, asked => asked.Problem.Prompt + asked.Text + "=", yes: "bc", no: "a");
        Assert.Equal(
            Math.Exp(no) / (Math.Exp(yes) + Math.Exp(no)),
            (await turned.ScoreAsync([completion], RewardContext.None)).Values.Single(),
            5
        );
        Assert.Throws<ArgumentException>(() => SelfRewards.Verdict(model, Toy.Tokenizer, yes: "a", no: "a"));
    }

    private static double Sum(CausalLm model, string prompt, string text, bool ends = false)
    {
        var (before, after) = (Toy.Tokenizer.Encode(prompt), Toy.Tokenizer.Encode(text));
        int[] ids = [.. before, .. after, .. ends ? [Toy.Tokenizer.EndOfSequenceId!.Value] : Array.Empty<int>()];
        var logProbs = Toy.LogProbs(model, ids);
        return Enumerable.Range(before.Length, ids.Length - before.Length).Sum(t => logProbs[t - 1][ids[t]]);
    }

    private static double Mean(CausalLm model, string prompt, string text, bool ends) =>
        Sum(model, prompt, text, ends) / (text.Length + (ends ? 1 : 0));
}
