using MathNet.Numerics.Distributions;
using PostTrain.Data;
using PostTrain.Recipes;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using PostTrain.Training.Reports;

namespace PostTrain.Tests.Recipes;

/// <summary>Solve rates against exact probabilities, and the share of groups with a gradient.</summary>
public sealed class SolveRateTests
{
    private static readonly IReward Digit = Reward.Of(
        "digit",
        completion => completion.Text.Length > 0 && char.IsDigit(completion.Text[0]) ? 1 : 0
    );
    private static readonly SamplingOptions One = new() { MaxNewTokens = 1 };

    // One token decides: its probability is known, and the counts are binomial.
    [Fact]
    public async Task Measured_RatesAreBinomialAroundTheExactOnes()
    {
        using var model = Toy.Model();
        Problem[] problems = [new("0="), new("1+1="), new("7=")];
        var rates = await SolveRates.MeasureAsync(
            model,
            Toy.Tokenizer,
            problems,
            Digit,
            new SolveRateOptions
            {
                Draws = 2000,
                Sampling = One,
                Seed = 5,
            }
        );
        foreach (var (problem, rate) in problems.Zip(rates))
        {
            double exact = Exact(model, problem);
            Assert.Equal(2000, rate.Rate.Trials);
            Assert.InRange(
                rate.Rate.Value,
                exact - (4 * Math.Sqrt(exact * (1 - exact) / 2000)),
                exact + (4 * Math.Sqrt(exact * (1 - exact) / 2000))
            );
        }
        Assert.Equal(rates[1].Rate.Value, rates[1].Annotated.Fields.Values["solve_rate"].GetDouble());
    }

    // 600 groups of 4: the share with unequal rewards is 1 − p⁴ − (1 − p)⁴.
    [Fact]
    public async Task Groups_WithAGradient_AreAsManyAsTheLawSays()
    {
        using var model = Toy.Model();
        var problem = new Problem("0=");
        double exact = Exact(model, problem),
            law = SolveRates.GradientShare(exact, 4);
        var groups = await SolveRates.MeasureAsync(
            model,
            Toy.Tokenizer,
            [.. Enumerable.Repeat(problem, 600)],
            Digit,
            new SolveRateOptions
            {
                Draws = 4,
                Sampling = One,
                Seed = 7,
            }
        );
        double share = groups.Count(group => group.Rate.Successes is > 0 and < 4) / 600.0;
        Assert.InRange(share, law - (4 * Math.Sqrt(law * (1 - law) / 600)), law + (4 * Math.Sqrt(law * (1 - law) / 600)));
    }

    // Averaged over the binomial counts of n draws the estimate is the law itself; with the rate put into the law it is not.
    [Theory]
    [InlineData(0.02)]
    [InlineData(0.3)]
    [InlineData(0.9)]
    public void GradientShare_FromCounts_IsUnbiased(double p)
    {
        const int draws = 16,
            group = 8;
        double estimate = 0,
            plugged = 0;
        for (int count = 0; count <= draws; count++)
        {
            double weight = Binomial.PMF(p, draws, count);
            estimate += weight * SolveRates.GradientShare(new Proportion(count, draws), group);
            plugged += weight * SolveRates.GradientShare(count / (double)draws, group);
        }
        double law = SolveRates.GradientShare(p, group);
        Assert.Equal(1 - Math.Pow(p, 8) - Math.Pow(1 - p, 8), law, 1e-15);
        Assert.Equal(law, estimate, 1e-12);
        Assert.True(plugged < law - 1e-3);
    }

    [Fact]
    public void Curriculum_GoesFromEasyToHard_AndTheBandIsClosed()
    {
        SolveRate[] rates = [.. new[] { 0, 8, 4, 2, 6 }.Select((count, i) => new SolveRate(new Problem($"{i}"), new Proportion(count, 8)))];
        Assert.Equal(["2", "3", "4"], SolveRates.Band(rates, 0.25, 0.75).Select(rate => rate.Problem.Prompt.Text));
        var stages = SolveRates.Stages(rates, 2);
        Assert.Equal(
            [
                ["1", "4"],
                ["2", "3", "0"],
            ],
            stages.Select(stage => stage.Select(problem => problem.Prompt.Text))
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => SolveRates.Stages(rates, 6));
        Assert.Throws<ArgumentOutOfRangeException>(() => SolveRates.GradientShare(new Proportion(1, 4), 5));
    }

    private static double Exact(PostTrain.Models.CausalLm model, Problem problem)
    {
        var logProbs = Toy.LogProbs(model, Toy.Tokenizer.Encode(problem.Prompt))[^1];
        return Enumerable
            .Range(0, logProbs.Length)
            .Where(id => Toy.Tokenizer.Decode([id]) is { Length: > 0 } text && char.IsDigit(text[0]))
            .Sum(id => Math.Exp(logProbs[id]));
    }
}
