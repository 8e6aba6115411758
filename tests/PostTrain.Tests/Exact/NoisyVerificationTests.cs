using PostTrain.Exact;
using PostTrain.RewardModeling;
using PostTrain.RewardModeling.Losses;
using PostTrain.Rewards;
using PostTrain.Rewards.Steps;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Exact;

/// <summary>Process against outcome verification at best-of-n, by enumeration.</summary>
public sealed class NoisyVerificationTests
{
    public static TheoryData<int, double, double, double[], double[]> Table =>
        new()
        {
            // n = 1, 2, 4, 8, 16, 64, ∞: process, outcome; worked out apart, by the binomial distribution of the number of good labels.
            {
                4,
                0.8,
                0.1,
                [0.4096, 0.5806, 0.7478, 0.8608, 0.8942, 0.8962, 0.8962],
                [0.4096, 0.6031, 0.7772, 0.8529, 0.8618, 0.8620, 0.8620]
            },
            {
                8,
                0.85,
                0.1,
                [0.2725, 0.4018, 0.5488, 0.6947, 0.8070, 0.8561, 0.8561],
                [0.2725, 0.4311, 0.6130, 0.7370, 0.7696, 0.7712, 0.7712]
            },
            {
                4,
                0.6,
                0.2,
                [0.1296, 0.1975, 0.2820, 0.3772, 0.4695, 0.5393, 0.5398],
                [0.1296, 0.1973, 0.2815, 0.3483, 0.3714, 0.3733, 0.3733]
            },
        };

    [Theory]
    [MemberData(nameof(Table))]
    public void BestOfN_OfBothVerifiers_IsTheTable(int steps, double accuracy, double flips, double[] process, double[] outcome)
    {
        var world = new NoisyVerification(steps, accuracy, flips);
        double[] Row(IReadOnlyList<JudgedClass> classes) =>
            [
                .. new[] { 1, 2, 4, 8, 16, 64 }
                    .Select(n => BestOfN.Accuracy(classes, n))
                    .Append(BestOfN.Limit(classes))
                    .Select(value => Math.Round(value, 4)),
            ];
        Assert.Equal(process, Row(world.Process()));
        Assert.Equal(outcome, Row(world.Outcome()));
        // One sample is right as often as the problem is solved, whoever judges.
        Assert.Equal(Math.Pow(accuracy, steps), BestOfN.Accuracy(world.Process(), 1), 1e-14);
        Assert.Equal(Math.Pow(accuracy, steps), BestOfN.Accuracy(world.Outcome(), 1), 1e-14);
    }

    /// <summary>The closed form of two samples is the sum over every way they can turn out.</summary>
    [Fact]
    public void BestOfTwo_IsTheSumOverAllPairs()
    {
        JudgedClass[] classes = [new(0.2, 0.3, 0.1), new(0.7, 0.25, 0.6), new(0.2, 0.15, 0.5), new(0.9, 0.3, 0.8)];
        double expected = 0;
        foreach (var first in classes)
        foreach (var second in classes)
        {
            double right =
                first.Score == second.Score ? (first.Correct + second.Correct) / 2
                : first.Score > second.Score ? first.Correct
                : second.Correct;
            expected += first.Probability * second.Probability * right;
        }
        Assert.Equal(expected, BestOfN.Accuracy(classes, 2), 1e-15);
        Assert.Equal(0.8, BestOfN.Limit(classes));
        // Scores that differ in their last bits alone are a tie.
        JudgedClass[] near = [new(0.1 + 0.2, 0.5, 1), new(0.3, 0.5, 0)];
        Assert.Equal(0.5, BestOfN.Accuracy(near, 1000), 1e-15);
    }

    /// <summary>The wrong odds of the top class: (1 + ay)^T − 1 of the process verifier lies below y((1 + a)^T − 1) of the outcome verifier
    /// by convexity, with a = (1−q)/q and y = ε/(1−ε).</summary>
    [Fact]
    public void Limits_AreClosedForms_AndTheProcessVerifierWins()
    {
        for (int steps = 1; steps <= 8; steps++)
        for (int i = 1; i < 20; i++)
            foreach (double flips in new[] { 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.45 })
            {
                double q = 0.05 * i,
                    a = (1 - q) / q,
                    y = flips / (1 - flips);
                var world = new NoisyVerification(steps, q, flips);
                double process = BestOfN.Limit(world.Process()),
                    outcome = BestOfN.Limit(world.Outcome());
                Assert.Equal(1 / Math.Pow(1 + a * y, steps), process, 1e-12);
                Assert.Equal(1 / (1 + y * (Math.Pow(1 + a, steps) - 1)), outcome, 1e-12);
                if (steps == 1)
                    Assert.Equal(outcome, process, 1e-12);
                else
                    Assert.True(process > outcome, $"T = {steps}, q = {q}, ε = {flips}: {process} against {outcome}");
                // Where all labels are good once in a million solutions, a thousand million find it.
                if (Math.Pow(q * (1 - flips) + (1 - q) * flips, steps) > 1e-6)
                    Assert.Equal(process, BestOfN.Accuracy(world.Process(), 1_000_000_000), 1e-9);
            }
    }

    /// <summary>At small n the outcome verifier is ahead at 708 of 4,655 points, at 336 of 931 for n = 2 and at none for n =
    /// 1024.</summary>
    [Fact]
    public void SmallN_TheOutcomeVerifierCanBeAhead()
    {
        var samples = new[] { 2, 4, 16, 64, 1024 };
        var ahead = new int[samples.Length];
        int points = 0;
        for (int steps = 2; steps <= 8; steps++)
        for (int i = 1; i < 20; i++)
            foreach (double flips in new[] { 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.45 })
            {
                var world = new NoisyVerification(steps, 0.05 * i, flips);
                var (process, outcome) = (world.Process(), world.Outcome());
                for (int k = 0; k < samples.Length; k++, points++)
                    if (BestOfN.Accuracy(outcome, samples[k]) > BestOfN.Accuracy(process, samples[k]) + 1e-12)
                        ahead[k]++;
            }
        Assert.Equal(4655, points);
        Assert.Equal([336, 337, 32, 3, 0], ahead);
    }

    /// <summary>A solution that is right by luck pleases the outcome verifier only: the process verifier's lead grows.</summary>
    [Fact]
    public void LuckyAnswers_WidenTheLead()
    {
        double Lead(double lucky, int samples)
        {
            var world = new NoisyVerification(4, 0.8, 0.1) { LuckyAnswers = lucky };
            return BestOfN.Accuracy(world.Process(), samples) - BestOfN.Accuracy(world.Outcome(), samples);
        }
        foreach (int samples in new[] { 2, 8, 64 })
            for (double lucky = 0; lucky < 0.9; lucky += 0.1)
                Assert.True(Lead(lucky + 0.1, samples) > Lead(lucky, samples));
        // If every wrong solution has the right answer, an outcome says nothing.
        Assert.Equal(0.4096, BestOfN.Accuracy(new NoisyVerification(4, 0.8, 0.1) { LuckyAnswers = 1 }.Outcome(), 64), 1e-12);
    }

    /// <summary>Product, minimum and last step of the posteriors, by the library's own aggregation: the product is best at every n, minimum
    /// has its limit, the last step sees one step only.</summary>
    [Fact]
    public void Aggregations_AreOrdered()
    {
        var world = new NoisyVerification([0.9, 0.6, 0.75, 0.8], 0.15);
        static Func<IReadOnlyList<double>, double> By(StepAggregation aggregation) =>
            posteriors =>
            {
                using var scope = NewDisposeScope();
                return StepScores.Aggregate(tensor(posteriors.ToArray()).unsqueeze(0), ones(1, posteriors.Count), aggregation).ToDouble();
            };
        var (product, logSum, minimum, last) = (
            world.Process(By(StepAggregation.Product)),
            world.Process(By(StepAggregation.LogSum)),
            world.Process(By(StepAggregation.Minimum)),
            world.Process(By(StepAggregation.Last))
        );
        foreach (int samples in new[] { 2, 4, 16, 64 })
        {
            Assert.Equal(BestOfN.Accuracy(world.Process(), samples), BestOfN.Accuracy(product, samples), 1e-12);
            Assert.Equal(BestOfN.Accuracy(product, samples), BestOfN.Accuracy(logSum, samples), 1e-12);
            // Ranked by P(right), the choice is right as often as any rule of the same labels allows.
            Assert.True(BestOfN.Accuracy(product, samples) > BestOfN.Accuracy(minimum, samples));
            Assert.True(BestOfN.Accuracy(minimum, samples) > BestOfN.Accuracy(last, samples));
        }
        Assert.Equal(BestOfN.Limit(product), BestOfN.Limit(minimum), 1e-12);
        double right = 0.8 * 0.85 / (0.8 * 0.85 + 0.2 * 0.15);
        Assert.Equal(0.9 * 0.6 * 0.75 * right, BestOfN.Limit(last), 1e-12);
    }

    /// <summary>A perfect verifier finds what there is: 1 − (1 − p)^n.</summary>
    [Fact]
    public void WithoutFlips_BothAreTheOracle()
    {
        var world = new NoisyVerification([0.9, 0.5, 0.7], 0);
        foreach (int samples in new[] { 1, 3, 20 })
        {
            Assert.Equal(TestTime.BestOfNAccuracy(world.Accuracy, samples), BestOfN.Accuracy(world.Outcome(), samples), 1e-14);
            Assert.Equal(TestTime.BestOfNAccuracy(world.Accuracy, samples), BestOfN.Accuracy(world.Process(), samples), 1e-14);
        }
    }

    /// <summary>Over all ways that N completions from a prefix can turn out, the soft Monte Carlo label is on average the prefix's value
    /// V(s), and the hard one 1 − (1 − V(s))^N.</summary>
    [Fact]
    public void MonteCarloSoftLabel_IsTheValueOfThePrefix()
    {
        using var scope = NewDisposeScope();
        var tree = new TokenTree(2, 3);
        var logits = Numbers.Uniform(71, 1.5, tree.Nodes, 2);
        var rewards = tensor(new double[] { 0, 1, 1, 0, 1, 0, 0, 1 });
        double[] probabilities = Numbers.Values(ExactPolicy.LogProbs(tree, logits).exp()),
            right = Numbers.Values(rewards);
        double[] values = Numbers.Values(ExactPolicy.Values(tree, logits, rewards).Values);
        // Prefixes of one token are nodes 1 and 2; each has four completions.
        for (int prefix = 0; prefix < 2; prefix++)
        {
            double[] share = [.. Enumerable.Range(0, 4).Select(leaf => probabilities[4 * prefix + leaf])];
            double reached = share.Sum(),
                soft = 0,
                hard = 0;
            for (int draw = 0; draw < 64; draw++)
            {
                int[] leaves = [draw & 3, draw >> 2 & 3, draw >> 4];
                double weight = leaves.Aggregate(1.0, (product, leaf) => product * share[leaf] / reached);
                var correct = tensor(leaves.Select(leaf => right[4 * prefix + leaf]).ToArray()).unsqueeze(0);
                soft += weight * StepLabels.MonteCarloSoft(correct, ones(1, 3)).ToDouble();
                hard += weight * StepLabels.MonteCarloHard(correct, ones(1, 3)).ToDouble();
            }
            Assert.Equal(values[1 + prefix], soft, 1e-14);
            Assert.Equal(1 - Math.Pow(1 - values[1 + prefix], 3), hard, 1e-14);
            Assert.True(hard > soft + 0.05);
        }
    }

    [Fact]
    public void Errors_NameWhatWasGivenAndExpected()
    {
        Assert.Contains(
            "expected 1 to 16 numbers",
            Assert.Throws<ArgumentException>(() => new NoisyVerification(17, 0.5, 0.1)).Message,
            StringComparison.Ordinal
        );
        Assert.Equal("stepAccuracies", Assert.Throws<ArgumentException>(() => new NoisyVerification([0.5, 1], 0.1)).ParamName);
        Assert.Equal("stepAccuracies", Assert.Throws<ArgumentException>(() => new NoisyVerification(-1, 0.5, 0.1)).ParamName);
        Assert.Equal("flips", Assert.Throws<ArgumentOutOfRangeException>(() => new NoisyVerification(2, 0.5, 0.5)).ParamName);
        Assert.Equal(
            "LuckyAnswers",
            Assert.Throws<ArgumentOutOfRangeException>(() => (new NoisyVerification(2, 0.5, 0.1) { LuckyAnswers = 2 }).Outcome()).ParamName
        );
        Assert.Equal(
            "samples",
            Assert.Throws<ArgumentOutOfRangeException>(() => BestOfN.Accuracy([new JudgedClass(1, 1, 1)], 0)).ParamName
        );
        Assert.Contains(
            "the sum 0.5",
            Assert.Throws<ArgumentException>(() => BestOfN.Limit([new JudgedClass(1, 0.5, 1)])).Message,
            StringComparison.Ordinal
        );
        Assert.Equal("classes", Assert.Throws<ArgumentException>(() => BestOfN.Limit([new JudgedClass(double.NaN, 1, 1)])).ParamName);
        Assert.Equal("classes", Assert.Throws<ArgumentException>(() => BestOfN.Limit([])).ParamName);
    }
}
