using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Refinement.Restarts;
using PostTrain.Rewards;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using Xunit.Abstractions;

namespace PostTrain.Tests.Domains;

/// <summary>Meta-actions on sums in steps: the data by hand, then format tuning and a round of restarts.</summary>
[Collection("Sequential")]
public sealed class SatoriTests(ITestOutputHelper output)
{
    private static readonly MetaActions Actions = new();

    [Fact]
    public void Data_IsWhatItSays()
    {
        var problems = CoatTask.Problems(300, false, 1);
        Assert.Equal(300, problems.Distinct().Count());
        Assert.Empty(problems.Intersect(CoatTask.Problems(300, true, 2)));
        Assert.All(
            problems,
            problem => Assert.Equal($"{problem.Prompt.Text.Where(char.IsAsciiDigit).Sum(digit => digit - '0') % 10}", problem.Answer)
        );
        // Without a slip every note is right; with slips some are not.
        Assert.All(
            CoatTask.Notes(problems, 0, 1).Zip(problems),
            pair => Assert.True(CoatTask.IsRight(Of(pair.Second, pair.First.Completion)))
        );
        Assert.InRange(
            CoatTask.Notes(problems, 0.15, 1).Zip(problems).Count(pair => CoatTask.IsRight(Of(pair.Second, pair.First.Completion))),
            150,
            230
        );
        // All errors noticed: every demonstration ends right.
        var noticed = CoatTask.Demonstrations(problems, Actions, 1, 1);
        Assert.All(noticed.Zip(problems), pair => Assert.True(CoatTask.IsRight(Of(pair.Second, pair.First.Completion))));
        Assert.Contains(noticed, text => text.Completion.Text.Contains(Actions.Explore, StringComparison.Ordinal));
        Assert.Contains(noticed, text => text.Completion.Text.Contains(Actions.Reflect, StringComparison.Ordinal));
        // A planted error is in the last step, and nothing else is wrong.
        foreach (bool wrong in (bool[])[true, false])
        foreach (var planted in CoatTask.Planted(problems, Actions, wrong, 3))
        {
            string[] steps = planted.Prompt.Text[(planted.Prompt.Text.IndexOf('=', StringComparison.Ordinal) + 1)..].Split(';');
            for (int i = 0; i < steps.Length; i++)
            {
                int[] digits = [.. steps[i].Where(char.IsAsciiDigit).Select(digit => digit - '0')];
                Assert.Equal(wrong && i == steps.Length - 1, (digits[0] + digits[1]) % 10 != digits[2]);
            }
        }
        // An unfinished text, and one without a step, are not right.
        Assert.False(CoatTask.IsRight(new Completion(problems[0], $"1+1={problems[0].Answer}", [], false)));
        Assert.False(CoatTask.IsRight(new Completion(problems[0] with { Answer = "" }, "", [], true)));
    }

    [MeasurementFact]
    public async Task PpoWithRestarts_RaisesRightAnswers()
    {
        using var start = CoatTask.Model(seed: 1, width: 64);
        using (
            var trainer = new SftTrainer(
                start,
                CoatTask.Tokenizer(),
                new SftOptions
                {
                    Steps = 1500,
                    BatchSize = 64,
                    LearningRate = 2e-3,
                    WarmupSteps = 30,
                    Schedule = LearningRateSchedule.Cosine,
                }
            )
        )
            Assert.Equal(1500, trainer.Run(CoatTask.Notes(CoatTask.Problems(8000, false, 1), slip: 0.15, seed: 1)).Count());
        using var coat = new CoatRun(
            start,
            new CoatSettings
            {
                FormatSteps = 600,
                Rounds = 2,
                Steps = 10,
                LearningRate = 5e-4,
            },
            1,
            (_, steps, reports) => Assert.Equal(steps, reports.Count())
        );
        var before = coat.Measure(coat.Tuned, 200).ToDictionary(item => item.Measure, item => item.Value);
        using var policy = await coat.TrainAsync(
            _ => true,
            asksToReflect: false,
            async (_, steps, reports) =>
            {
                int seen = 0;
                await foreach (var report in reports)
                    seen++;
                Assert.Equal(steps, seen);
            }
        );
        var after = coat.Measure(policy, 200).ToDictionary(item => item.Measure, item => item.Value);
        foreach (var (measure, value) in before)
            output.WriteLine($"{measure}: {value} to {after[measure]}");
        // Of 200 completions two standard errors of a difference are below 0.1. That errors are repaired more often is not shown.
        Assert.True(after["right"] > before["right"] + 0.05, $"right: {before["right"]} to {after["right"]}");
    }

    private static Completion Of(Problem problem, string text) => new(problem, text, [], true);
}
