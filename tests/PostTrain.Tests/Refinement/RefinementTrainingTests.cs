using System.Globalization;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Refinement;
using PostTrain.Refinement.Restarts;
using PostTrain.Refinement.Writing;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Text;
using Xunit.Abstractions;

namespace PostTrain.Tests.Refinement;

/// <summary>Training on what was repaired, with the project's own arithmetic model.</summary>
[Collection("Sequential")]
public sealed class RefinementTrainingTests(ITestOutputHelper output)
{
    private static readonly string Folder = Path.Combine(RepositoryFolder.Root, "samples", "models", "arithmetic-base");
    private static readonly IReward Right = Reward.MathAnswer(new MathAnswerOptions { Places = AnswerPlaces.Tags });

    // The earlier answer, then the sum: the model's context has no room for the whole earlier text.
    private static readonly ModelRefinerOptions Writing = new()
    {
        Template = new RevisionTemplate
        {
            Format = "{attempt};{problem}",
            QuoteAttempt = text =>
                AnswerExtraction.Extract(text, AnswerPlaces.Tags) is { Length: <= 4 } answer && answer.All(char.IsAsciiDigit) ? answer : "",
        },
        Sampling = new SamplingOptions { MaxNewTokens = 40 },
    };

    [Fact]
    public async Task CorrectionsAndConfirmations_RaiseWhatIsRepaired()
    {
        using var model = Pretrained.Load(Folder);
        var tokenizer = TokenizerFiles.Load(Folder);
        // The format first, without the skill: a revision is one more of the model's own texts, as they come.
        var (one, two) = (
            await RunAsync(model, tokenizer, Sums(300, seed: 3), rounds: 0),
            await RunAsync(model, tokenizer, Sums(300, seed: 3), rounds: 0, draw: 1)
        );
        Train(
            model,
            tokenizer,
            50,
            [
                .. one.Zip(
                    two,
                    (first, second) =>
                        new Demonstration(
                            Writing.Template.Apply(first.Problem, first.Current.Completion, first.Current.Feedback),
                            second.Current.Completion.Text
                        )
                ),
            ]
        );

        var before = await RunAsync(model, tokenizer, Sums(400, seed: 1), rounds: 1);
        var own = await RunAsync(model, tokenizer, Sums(400, seed: 2), rounds: 3);
        IReadOnlyList<Demonstration> lessons =
        [
            .. TraceExamples.Corrections(own),
            .. TraceExamples.Confirmations(own, Writing.Template, attempt => attempt.Right == true),
        ];
        Train(model, tokenizer, 60, lessons);
        var after = await RunAsync(model, tokenizer, Sums(400, seed: 1), rounds: 1);

        var (was, now) = (TransitionTable.Between(before, 0, 1), TransitionTable.Between(after, 0, 1));
        string measured =
            $"right at once {was.Before} → {now.Before}, a {was.Repaired} → {now.Repaired}, b {was.Spoiled} → "
            + $"{now.Spoiled}, of {lessons.Count} lessons";
        output.WriteLine(measured);
        Assert.True(now.Repaired.Interval().Lower > was.Repaired.Interval().Upper, measured);
        Assert.True(now.Before.Interval().Lower > was.Before.Interval().Upper, measured);
    }

    [Fact]
    public async Task Restarts_TrainBesideTheProblems_WithTheirBonus()
    {
        using var model = Toy.Model();
        Problem[] problems = [new("1+1=", "2"), new("1+2=", "3")];
        var drafts = await new ModelRefiner(
            model,
            Toy.Tokenizer,
            new ModelRefinerOptions { Sampling = new SamplingOptions { MaxNewTokens = 4 } }
        ).WriteAsync([.. problems.Select((problem, i) => new DraftRequest(problem, i, 0))]);
        Completion[] rollouts = [.. drafts.Select(draft => draft!.Completion)];
        var reward = Reward.Of("digits", completion => completion.Text.Count(char.IsAsciiDigit));
        double[] rewards = (await reward.ScoreAsync(rollouts, RewardContext.None)).Values;
        var restarts = RestartAndExplore.From(rollouts, rewards, new RestartOptions { Separator = "+", Marker = "f" });
        Assert.NotEmpty(restarts);
        using var trainer = new GrpoTrainer(
            model,
            Toy.Tokenizer,
            reward.WithProgress(restarts, 0.5),
            new GrpoOptions
            {
                Steps = 2,
                BatchSize = 4,
                GroupSize = 4,
                Sampling = new SamplingOptions { MaxNewTokens = 3 },
            }
        );
        int steps = 0;
        await foreach (var report in trainer.RunAsync([.. problems, .. restarts.Select(restart => restart.Problem)]))
        {
            steps++;
            Assert.True(double.IsFinite(report.Metrics["reward/bonus"]));
        }
        Assert.Equal(2, steps);
    }

    private static void Train(CausalLm model, ITokenizer tokenizer, int steps, IReadOnlyList<Demonstration> lessons)
    {
        using var trainer = new SftTrainer(
            model,
            tokenizer,
            new SftOptions
            {
                Steps = steps,
                BatchSize = 32,
                LearningRate = 1e-3,
            }
        );
        Assert.Equal(steps, trainer.Run(lessons).Count());
    }

    private static Problem[] Sums(int count, int seed)
    {
        var random = new Random(seed);
        return
        [
            .. Enumerable
                .Range(0, count)
                .Select(_ =>
                {
                    var (a, b) = (random.Next(100, 1000), random.Next(100, 1000));
                    return new Problem(
                        string.Create(CultureInfo.InvariantCulture, $"{a}+{b}="),
                        string.Create(CultureInfo.InvariantCulture, $"{a + b}")
                    );
                }),
        ];
    }

    private static async Task<IReadOnlyList<RefinementTrace>> RunAsync(
        CausalLm model,
        ITokenizer tokenizer,
        Problem[] problems,
        int rounds,
        ulong draw = 0
    )
    {
        IReadOnlyList<RefinementTrace> traces = [];
        await foreach (
            var round in SelfRefinement.RunAsync(
                problems,
                new ModelRefiner(model, tokenizer, Writing with { Seed = draw }),
                FeedbackSources.Score(Right),
                new SelfRefinementOptions { Rounds = rounds, Gold = Right }
            )
        )
            traces = round.Traces;
        return traces;
    }
}
