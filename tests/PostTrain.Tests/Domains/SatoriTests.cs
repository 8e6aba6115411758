using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Numerics;
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
        Assert.Empty(problems.Intersect(CoatTask.Problems(158, true, 2)));
        Assert.All(
            problems,
            problem => Assert.Equal($"{problem.Prompt.Text.Where(char.IsAsciiDigit).Sum(digit => digit - '0') % 10}", problem.Answer)
        );
        // Without a slip every note is right; with slips some are not.
        Assert.All(
            CoatTask.Notes(problems, 0, 1).Zip(problems),
            pair => Assert.True(CoatTask.IsRight(Of(pair.Second, pair.First.Completion.Text[..^2])))
        );
        Assert.InRange(
            CoatTask
                .Notes(problems, 0.15, 1)
                .Zip(problems)
                .Count(pair => CoatTask.IsRight(Of(pair.Second, pair.First.Completion.Text[..^2]))),
            150,
            230
        );
        // The marks say which steps are right.
        var notes = CoatTask.Notes(problems, 0.15, 1);
        Assert.All(
            notes.Concat(CoatTask.GradedSteps(300, 1)),
            note => AssertMarked(note.Prompt.Text.EndsWith(';') ? note.Prompt.Text + note.Completion.Text : note.Completion.Text)
        );
        Assert.InRange(notes.Sum(note => note.Completion.Text.Count(sign => sign == '!')), 90, 180);
        Assert.InRange(CoatTask.GradedSteps(300, 1).Count(step => step.Completion.Text == "!"), 120, 180);
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
        Assert.Throws<ArgumentOutOfRangeException>(() => CoatTask.Problems(159, true, 2));
        // An unfinished text, and one without a step, are not right.
        Assert.False(CoatTask.IsRight(new Completion(problems[0], $"1+1={problems[0].Answer}", [], false)));
        Assert.False(CoatTask.IsRight(new Completion(problems[0] with { Answer = "" }, "", [], true)));
    }

    [MeasurementFact]
    public async Task PpoWithRestarts_ReconsidersErrors()
    {
        using var start = CoatTask.Model(seed: 1);
        using (
            var trainer = new SftTrainer(
                start,
                CoatTask.Tokenizer(),
                new SftOptions
                {
                    Steps = 600,
                    BatchSize = 128,
                    LearningRate = 2e-3,
                    WarmupSteps = 50,
                    Schedule = LearningRateSchedule.Cosine,
                    Aggregation = LossAggregation.SequenceMean,
                }
            )
        )
            Assert.Equal(600, trainer.Run(CoatTask.BaseTexts(1)).Count());
        using var coat = new CoatRun(
            start,
            new CoatSettings { Rounds = 2 },
            1,
            (_, steps, reports) => Assert.Equal(steps, reports.Count())
        );
        var before = coat.Measure(coat.Tuned, 150).ToDictionary(item => item.Measure, item => item.Value);
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
        var after = coat.Measure(policy, 150).ToDictionary(item => item.Measure, item => item.Value);
        foreach (var (measure, value) in before)
            output.WriteLine($"{measure}: {value} to {after[measure]}");
        // Half of the errors are noticed in the demonstrations. Of 600 completions two standard errors of a difference are below 0.06.
        Assert.True(
            before["reconsiders after an error"] > before["reconsiders after right steps"] + 0.2,
            $"after format tuning {before["reconsiders after an error"]} and {before["reconsiders after right steps"]}"
        );
        foreach (string measure in (string[])["right", "reconsiders after an error", "right after an error"])
            Assert.True(after[measure] > before[measure] + 0.06, $"{measure}: {before[measure]} to {after[measure]}");
    }

    // Steps such as 8+3=1;. or 8+3=2;! and nothing else.
    private static void AssertMarked(string text)
    {
        var steps = System.Text.RegularExpressions.Regex.Matches(text, @"\G(\d)\+(\d)=(\d);([.!])");
        Assert.Equal(text.Length, steps.Sum(step => step.Length));
        Assert.All(
            steps,
            step =>
            {
                int[] digits = [.. step.Groups.Values.Skip(1).Take(3).Select(group => group.Value[0] - '0')];
                Assert.Equal((digits[0] + digits[1]) % 10 == digits[2] ? "." : "!", step.Groups[4].Value);
            }
        );
    }

    private static Completion Of(Problem problem, string text) => new(problem, text, [], true);
}
