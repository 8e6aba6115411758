using PostTrain.RewardModeling.Benchmarks;
using PostTrain.RewardModeling.Losses;
using PostTrain.Rewards.Steps;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.RewardModeling;

public sealed class PrmBenchTests
{
    private static readonly PrmBenchCategory[] Categories = Enum.GetValues<PrmBenchCategory>();

    [Fact]
    public void Read_TakesTheFilesOfTheBenchmark()
    {
        using var folder = new TemporaryDirectory();
        var path = folder.File("prmbench.jsonl");
        File.WriteAllText(
            path,
            """
            {"original_question": "What is 2+3?", "modified_question": "What is 2+3, really?", "original_process": ["1. 2+3 = 5."], "modified_process": ["1. Take 2.", "2. 2+3 = 6.", "3. So 6."], "modified_steps": [2, 3], "error_steps": [3, 2], "reason": "No.", "idx": "deception_1", "question": "What is 2+3?", "classification": "deception"}
            {"original_question": "q", "modified_question": "q", "original_process": ["a"], "modified_process": ["b", "c"], "modified_steps": [], "error_steps": [], "idx": "m", "classification": "multi_solutions"}
            """
        );
        var records = PrmBenchRecord.Read(path);
        Assert.Equal(2, records.Count);
        var first = records[0];
        Assert.Equal(("deception_1", PrmBenchCategory.Deception, "What is 2+3, really?"), (first.Id, first.Category, first.Question));
        Assert.Equal([2, 3], first.ErrorSteps);
        Assert.Equal([1, 0, 0], first.Labels);
        Assert.Equal(["1. 2+3 = 5."], first.OriginalSteps);
        Assert.Equal("What is 2+3?", first.OriginalQuestion);
        Assert.Equal([1, 1], records[1].Labels);
        Assert.Equal(records[1].Labels, records[1].Example.Labels);
    }

    [Theory]
    [InlineData(
        """{"modified_question": "q", "modified_process": ["a"], "error_steps": [2], "classification": "circular"}""",
        "error_steps has 2"
    )]
    [InlineData(
        """{"modified_question": "q", "modified_process": ["a"], "error_steps": [0], "classification": "circular"}""",
        "error_steps has 0"
    )]
    [InlineData(
        """{"modified_question": "q", "modified_process": ["a"], "error_steps": [1], "classification": "fun"}""",
        "'fun', expected one of redundency"
    )]
    [InlineData(
        """{"modified_question": "q", "modified_process": [], "error_steps": [], "classification": "circular"}""",
        "expected classification"
    )]
    [InlineData(
        """{"modified_question": "q", "modified_process": ["a"], "error_steps": ["x"], "classification": "circular"}""",
        "whole numbers"
    )]
    public void Read_RefusesBrokenRecordsByPlace(string line, string message)
    {
        using var folder = new TemporaryDirectory();
        var path = folder.File("prmbench.jsonl");
        File.WriteAllText(path, line);
        var error = Assert.Throws<InvalidDataException>(() => PrmBenchRecord.Read(path));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains("line 1", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Score_ByHand()
    {
        PrmBenchRecord[] records =
        [
            new("a", PrmBenchCategory.Deception, "q", ["r1", "w2", "w3", "r4"], [2, 3]) { OriginalSteps = ["r1", "r4"] },
            new("b", PrmBenchCategory.Deception, "q", ["w1", "r2"], [1]),
            new("c", PrmBenchCategory.MultipleSolutions, "q", ["r1", "r2"], []),
        ];
        // Right steps but r4 are judged right, wrong ones but w3 wrong; r2 is left without a verdict.
        var reward = StepReward.Rule(
            "by hand",
            (completion, k) =>
                completion.Steps[k].Text switch
                {
                    "r4" or "w2" or "w1" => false,
                    "r2" => null,
                    _ => true,
                }
        );
        var scores = await PrmBench.ScoreAsync(records, reward);
        var deception = scores[PrmBenchCategory.Deception];
        Assert.Equal(new StepConfusion(RightAsRight: 2, WrongAsRight: 1, WrongAsWrong: 2, RightAsWrong: 1), deception.Steps);
        Assert.Equal((2, 2), (deception.FirstErrors, deception.FirstErrorsFound));
        // F1 = 4/6 both ways.
        Assert.Equal(2 / 3.0, deception.PrmScore, 12);
        // Record a: two of four judged right, its original one of two.
        Assert.Equal(0, deception.Likeness, 12);
        var other = scores[PrmBenchCategory.MultipleSolutions];
        Assert.Equal(1, other.RightStepAccuracy);
        Assert.True(double.IsNaN(other.PrmScore));
        Assert.True(double.IsNaN(other.FirstErrorAccuracy));
        Assert.True(double.IsNaN(other.Likeness));
        Assert.Equal(new StepConfusion(4, 1, 2, 1), PrmBench.Total(scores.Values).Steps);
        var wrong = StepReward.OfAll("two", (items, _, _) => new([.. items.Select(item => item.Steps.Select(_ => 2.0).ToArray())]));
        Assert.Contains(
            "step 1 of record 'a' has the score 2",
            (await Assert.ThrowsAsync<InvalidOperationException>(() => PrmBench.ScoreAsync(records, wrong))).Message,
            StringComparison.Ordinal
        );
    }

    // An independent checker of equations sees the four kinds whose fault is in one, and only these.
    [Theory]
    [InlineData(PrmBenchCategory.Counterfactual, true)]
    [InlineData(PrmBenchCategory.Confidence, true)]
    [InlineData(PrmBenchCategory.Deception, true)]
    [InlineData(PrmBenchCategory.DomainInconsistency, true)]
    [InlineData(PrmBenchCategory.Redundancy, false)]
    [InlineData(PrmBenchCategory.CircularLogic, false)]
    [InlineData(PrmBenchCategory.StepContradiction, false)]
    [InlineData(PrmBenchCategory.MissingCondition, false)]
    [InlineData(PrmBenchCategory.MultipleSolutions, false)]
    public async Task Generator_SpoilsOneStepInItsWay(PrmBenchCategory category, bool inEquation)
    {
        var records = PrmBenchGenerator.Create(category, 200, seed: 5);
        Assert.Equal(200, records.Count);
        bool other = category == PrmBenchCategory.MultipleSolutions;
        int wrong =
            other ? 0
            : category == PrmBenchCategory.CircularLogic ? 2
            : 1;
        Assert.All(records, record => Assert.Equal(wrong, record.ErrorSteps.Count));
        Assert.All(
            records,
            record => Assert.NotEqual(record.OriginalSteps.Concat([record.OriginalQuestion]), record.Steps.Concat([record.Question]))
        );
        var score = (await PrmBench.ScoreAsync(records, StepReward.Arithmetic()))[category];
        Assert.Equal(0, score.Steps.RightAsWrong);
        Assert.Equal(inEquation ? 200 : 0, score.Steps.WrongAsWrong);
        Assert.Equal(inEquation ? 0 : wrong * 200, score.Steps.WrongAsRight);
        // Each step but the spoiled one starts from the result before it, and the first from the question's number.
        foreach (var record in records)
        {
            long value = long.Parse(record.Question.Split(' ', ';')[2], System.Globalization.CultureInfo.InvariantCulture);
            for (int step = 0; step < record.Steps.Count - 1; step++)
            {
                var (left, result) = Ends(record.Steps[step]);
                Assert.Equal(record.ErrorSteps.Contains(step + 1) && category == PrmBenchCategory.StepContradiction, left != value);
                value = result;
            }
            Assert.Equal($"The answer is {value}.", record.Steps[^1]);
        }
        // The answer of a redundant, a circular and another solution is that of the original.
        Assert.Equal(
            category
                is PrmBenchCategory.Redundancy
                    or PrmBenchCategory.CircularLogic
                    or PrmBenchCategory.MissingCondition
                    or PrmBenchCategory.MultipleSolutions,
            records.All(record => record.Steps[^1] == record.OriginalSteps[^1])
        );
        Assert.Equal(records.Select(Text), PrmBenchGenerator.Create(category, 200, seed: 5).Select(Text));
        Assert.NotEqual(records.Select(Text), PrmBenchGenerator.Create(category, 200, seed: 6).Select(Text));

        static string Text(PrmBenchRecord record) => $"{record.Question} {string.Join(' ', record.Steps)}";
    }

    [Fact]
    public void MissingCondition_LeavesOutTheNumberOfTheSpoiledStep()
    {
        foreach (var record in PrmBenchGenerator.Create(PrmBenchCategory.MissingCondition, 50, seed: 1))
        {
            var parts = record.Question.Split("; ");
            Assert.EndsWith("a number", parts[record.ErrorSteps[0]].Split('.')[0], StringComparison.Ordinal);
            Assert.Equal(record.OriginalQuestion.Split("; ").Length, parts.Length);
            Assert.Equal(record.OriginalSteps, record.Steps);
        }
    }

    [Fact]
    public void ConstantModels_AreTheirClosedForms()
    {
        const long right = 30,
            wrong = 10;
        var all = PrmScoreBaselines.Constant(true, right, wrong);
        Assert.Equal(2.0 * right / (2 * right + wrong), all.F1, 12);
        Assert.Equal(0, all.NegativeF1);
        Assert.Equal(right / (2.0 * right + wrong), all.PrmScore(), 12);
        var none = PrmScoreBaselines.Constant(false, right, wrong);
        Assert.Equal(2.0 * wrong / (2 * wrong + right), none.NegativeF1, 12);
        Assert.Equal(0, none.F1);
        // The expectation of a random model at its ends.
        Assert.Equal(all.PrmScore(), PrmScoreBaselines.Random(1, (int)right, (int)wrong), 12);
        Assert.Equal(none.PrmScore(), PrmScoreBaselines.Random(0, (int)right, (int)wrong), 12);
    }

    [Theory]
    [InlineData(0.5, 3, 2)]
    [InlineData(0.2, 4, 1)]
    [InlineData(0.9, 1, 4)]
    public void RandomModel_IsTheMeanOverAllVerdicts(double p, int right, int wrong)
    {
        double expected = 0;
        for (int verdicts = 0; verdicts < 1 << (right + wrong); verdicts++)
        {
            int judgedRight = System.Numerics.BitOperations.PopCount((uint)verdicts & ((1u << right) - 1)),
                missed = System.Numerics.BitOperations.PopCount((uint)verdicts >> right);
            double probability = Math.Pow(p, judgedRight + missed) * Math.Pow(1 - p, right + wrong - judgedRight - missed);
            expected += probability * new StepConfusion(judgedRight, missed, wrong - missed, right - judgedRight).PrmScore(0.3);
        }
        Assert.Equal(expected, PrmScoreBaselines.Random(p, right, wrong, 0.3), 12);
    }

    [Fact]
    public async Task RandomModel_OnTheGeneratedRecords_ScoresItsExpectation()
    {
        var records = PrmBenchGenerator.Create(PrmBenchCategory.Counterfactual, 60, seed: 1);
        int right = records.Sum(record => record.Labels.Sum()),
            wrong = records.Sum(record => record.Labels.Count(label => label == 0));
        var scores = new List<double>();
        for (int seed = 0; seed < 40; seed++)
        {
            var random = new Random(seed);
            var coin = StepReward.OfAll(
                "coin",
                (items, _, _) => new([.. items.Select(item => item.Steps.Select(_ => random.NextDouble() < 0.7 ? 1.0 : 0).ToArray())])
            );
            scores.Add((await PrmBench.ScoreAsync(records, coin))[PrmBenchCategory.Counterfactual].PrmScore);
        }
        double mean = scores.Average(),
            error = Math.Sqrt(scores.Sum(score => (score - mean) * (score - mean)) / 39 / 40);
        Assert.InRange(PrmScoreBaselines.Random(0.7, right, wrong), mean - 4 * error, mean + 4 * error);
        // Sizes of the benchmark itself: no overflow.
        Assert.InRange(PrmScoreBaselines.Random(0.5, 70_000, 13_000), 0.4, 0.5);
    }

    private static (long Left, long Result) Ends(string step)
    {
        var numbers = System
            .Text.RegularExpressions.Regex.Matches(step, "[0-9]+")
            .Select(match => long.Parse(match.Value, System.Globalization.CultureInfo.InvariantCulture))
            .ToArray();
        return (numbers[^3], numbers[^1]);
    }
}
