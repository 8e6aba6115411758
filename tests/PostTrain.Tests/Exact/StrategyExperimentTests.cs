using System.Globalization;
using MathNet.Numerics.Distributions;
using MathNet.Numerics.Statistics;
using PostTrain.Exact;

namespace PostTrain.Tests.Exact;

/// <summary>The claim of reinforced fine-tuning, over 20 worlds with exact gradients: supervised &lt; offline self-training &lt; reinforced
/// where there are several valid ways, and nothing where there is one.</summary>
public sealed class StrategyExperimentTests
{
    private const int Worlds = 20;

    [Theory]
    [InlineData(3, 0.04)]
    [InlineData(5, 0.05)]
    public void SeveralValidWays_ReinforcementGains(int mostValid, double least)
    {
        var outcomes = Run(Short with { MostValid = mostValid });
        var gain = Gain(outcomes, outcome => outcome.Reinforced.Sampled, outcome => outcome.Supervised.Sampled);
        Assert.True(gain.Lower > least, $"sampled: reinforced − supervised is {gain}");
        Assert.InRange(gain.Wins, 18, Worlds);
        gain = Gain(outcomes, outcome => outcome.Reinforced.Greedy, outcome => outcome.Supervised.Greedy);
        Assert.True(gain.Lower > 0, $"greedy: reinforced − supervised is {gain}");
        gain = Gain(outcomes, outcome => outcome.SelfTraining.Sampled, outcome => outcome.Supervised.Sampled);
        Assert.True(gain.Lower > 0, $"self-training − supervised is {gain}");
        // With few valid ways the two are near to each other after so few steps.
        gain = Gain(outcomes, outcome => outcome.Reinforced.Sampled, outcome => outcome.SelfTraining.Sampled);
        Assert.True(mostValid == 5 ? gain.Lower > 0 : gain.Upper > 0, $"reinforced − self-training is {gain}");
    }

    [Fact]
    public void OneValidWay_TheNegativeControl_NoGain()
    {
        var outcomes = Run(Short with { MostValid = 1 });
        var gain = Gain(outcomes, outcome => outcome.Reinforced.Sampled, outcome => outcome.Supervised.Sampled);
        Assert.InRange(gain.Mean, -0.03, 0.01);
        // The shown way is the only right one: self-training is supervised fine-tuning.
        Assert.All(outcomes, outcome => Assert.Equal(outcome.Supervised.Sampled, outcome.SelfTraining.Sampled, 1e-9));
    }

    [Fact]
    public void GuessedAnswers_ShrinkTheGain()
    {
        var honest = Run(Short with { MostValid = 3 }).Select(outcome => outcome.Reinforced.Sampled - outcome.Supervised.Sampled).ToArray();
        var guessed = Run(Short with { MostValid = 3, GuessRate = 0.25 })
            .Select(outcome => outcome.Reinforced.Sampled - outcome.Supervised.Sampled)
            .ToArray();
        var lost = Difference.Of(honest, guessed);
        Assert.True(lost.Lower > 0, $"the gain with honest rewards less that with guessed ones is {lost}");
    }

    [Fact]
    public void Run_IsAFunctionOfTheSeed_AndRefusesBadOptions()
    {
        Assert.Equal(StrategyExperiment.Run(Short, 7), StrategyExperiment.Run(Short, 7));
        Assert.NotEqual(StrategyExperiment.Run(Short, 7), StrategyExperiment.Run(Short, 8));
        Assert.Equal(
            "MostValid",
            Assert.Throws<ArgumentOutOfRangeException>(() => StrategyExperiment.Run(Short with { MostValid = 9 }, 0)).ParamName
        );
        Assert.Equal(
            "GuessRate",
            Assert.Throws<ArgumentOutOfRangeException>(() => StrategyExperiment.Run(Short with { GuessRate = 2 }, 0)).ParamName
        );
    }

    // Fewer steps than the experiment's own: the order is there much sooner.
    private static StrategyOptions Short { get; } =
        new()
        {
            WarmupSteps = 100,
            Steps = 500,
            TestQuestions = 500,
        };

    private static StrategyOutcome[] Run(StrategyOptions options) =>
        [.. Enumerable.Range(0, Worlds).AsParallel().AsOrdered().Select(seed => StrategyExperiment.Run(options, (ulong)seed))];

    private static Difference Gain(StrategyOutcome[] outcomes, Func<StrategyOutcome, double> first, Func<StrategyOutcome, double> second) =>
        Difference.Of([.. outcomes.Select(first)], [.. outcomes.Select(second)]);

    /// <summary>Of paired worlds: the mean difference with Student's 95 % interval.</summary>
    private sealed record Difference(double Mean, double Margin, int Wins)
    {
        internal double Lower => Mean - Margin;

        internal double Upper => Mean + Margin;

        internal static Difference Of(double[] first, double[] second)
        {
            double[] differences = [.. first.Zip(second, (a, b) => a - b)];
            double margin =
                StudentT.InvCDF(0, 1, differences.Length - 1, 0.975) * differences.StandardDeviation() / Math.Sqrt(differences.Length);
            return new Difference(differences.Average(), margin, differences.Count(difference => difference > 0));
        }

        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Mean:F3} ± {Margin:F3} ({Wins} won)");
    }
}
