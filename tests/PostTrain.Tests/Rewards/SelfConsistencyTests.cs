using PostTrain.Data;
using PostTrain.Exact;
using PostTrain.Rewards;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Rewards;

public sealed class SelfConsistencyTests
{
    private static async Task<double[]> Scores(SelfConsistencyOptions options, params string[] texts) =>
        (
            await Reward
                .SelfConsistency(options)
                .ScoreAsync([.. texts.Select(text => new Completion(new Problem("?"), text, [], true))], RewardContext.None)
        ).Values;

    [Fact]
    public async Task LeaveOneOut_CountsTheOthers()
    {
        Assert.Equal([0.5, 0.5, 0, 0, 0.5], (IEnumerable<double>)await Scores(new(), "it is 5", "5.0", "7", "none", "\\boxed{10/2}"));
        Assert.Equal([double.NaN], (IEnumerable<double>)await Scores(new(), "5"));
        Assert.Equal([0.0, 0.0], (IEnumerable<double>)await Scores(new(), "none", "none"));
        // weights 1 2 3: the first agrees with 3 of 2 + 3, the third with 1 of 1 + 2
        var weights = new SelfConsistencyOptions { Weight = completion => completion.Text.Length };
        Assert.Equal([3.0 / 5, 0, 1.0 / 3], (IEnumerable<double>)await Scores(weights, "5", "77", "005"));
        await Assert.ThrowsAsync<InvalidOperationException>(() => Scores(new() { Weight = _ => -1 }, "5", "5"));
    }

    [Fact]
    public async Task Majority_SharesTies_AndEntropyCountsMissingAnswersApart()
    {
        var majority = new SelfConsistencyOptions { Form = SelfConsistencyForm.Majority };
        Assert.Equal([1, 1, 0, 0, 1], (IEnumerable<double>)await Scores(majority, "5", "5", "7", "none", "5"));
        Assert.Equal([0.5, 0.5, 0.5, 0.5, 0], (IEnumerable<double>)await Scores(majority, "5", "5", "7", "7", "none"));
        Assert.Equal([0.0, 0.0], (IEnumerable<double>)await Scores(majority, "none", "nothing"));
        var entropy = new SelfConsistencyOptions { Form = SelfConsistencyForm.Entropy };
        var expected = 0.6 * Math.Log(0.6) + 2 * 0.2 * Math.Log(0.2);
        Assert.All(await Scores(entropy, "5", "5", "7", "none", "5"), value => Assert.Equal(expected, value, 12));
        Assert.All(await Scores(entropy, "none", "none"), value => Assert.Equal(-Math.Log(2), value, 12));
        Assert.All(await Scores(entropy, "5", "5"), value => Assert.Equal(0, value));
    }

    [Fact]
    public async Task Groups_DoNotVoteForEachOther()
    {
        Completion Of(string prompt, string text) => new(new Problem(prompt), text, [], true);
        var scores = await Reward
            .SelfConsistency()
            .ScoreAsync([Of("a", "1"), Of("b", "1"), Of("a", "2"), Of("b", "1")], RewardContext.None);
        Assert.Equal([0, 1, 0, 1], (IEnumerable<double>)scores.Values);
    }

    // E[r_1 | a_1 = a] = p(a), and the mean policy gradient of the reward is that of the collision probability, ½∇Σp², by enumeration of
    // all groups of 3.
    [Fact]
    public async Task LeaveOneOut_IsUnbiased_AndClimbsTheCollisionProbability_ToTheInitialModeRightOrWrong()
    {
        double[] logits = [0.3, 0.5, -0.4];
        static double[] Softmax(double[] z) => [.. z.Select(x => Math.Exp(x) / z.Sum(Math.Exp))];
        static double Collision(double[] z) => 0.5 * Softmax(z).Sum(p => p * p);
        var rewards = new double[3, 3, 3];
        for (var index = 0; index < 27; index++)
        {
            var (a, b, c) = (index / 9, index / 3 % 3, index % 3);
            rewards[a, b, c] = (await Scores(new(), $"{a}", $"{b}", $"{c}"))[0];
        }

        double[] Gradient(double[] z)
        {
            var p = Softmax(z);
            var gradient = new double[3];
            for (var index = 0; index < 27; index++)
            {
                var (a, b, c) = (index / 9, index / 3 % 3, index % 3);
                for (var k = 0; k < 3; k++)
                    gradient[k] += p[a] * p[b] * p[c] * rewards[a, b, c] * ((a == k ? 1 : 0) - p[k]);
            }

            return gradient;
        }

        var probabilities = Softmax(logits);
        for (var a = 0; a < 3; a++)
        {
            double mean = 0;
            for (var other = 0; other < 9; other++)
                mean += probabilities[other / 3] * probabilities[other % 3] * rewards[a, other / 3, other % 3];
            Assert.Equal(probabilities[a], mean, 12);
            double[] up = [.. logits],
                down = [.. logits];
            up[a] += 1e-5;
            down[a] -= 1e-5;
            Assert.Equal((Collision(up) - Collision(down)) / 2e-5, Gradient(logits)[a], 9);
        }

        for (var step = 0; step < 2000; step++)
            logits = [.. logits.Zip(Gradient(logits), (z, g) => z + g)];
        Assert.True(Softmax(logits)[1] > 0.99); // answer 1 was the most likely one, whatever is right
    }

    [Fact]
    public void Vote_WeightsAndMissingAnswers()
    {
        var vote = Voting.Majority(["1/2", null, "0.5", "3"], [1, 5, 1, 1.5]);
        Assert.Equal("1/2", vote.Answer);
        Assert.Equal(2 / 8.5, vote.Share, 12);
        Assert.Equal([0, -1, 0, 1], vote.Classes);
        Assert.Equal([2, 1.5], vote.Weights);
        Assert.Null(Voting.Majority([null, null]).Answer);
        Assert.Equal("a", Voting.Majority(["a", "b"]).Answer);
        Assert.Throws<ArgumentException>(() => Voting.Majority(["a"], [1, 2]));
        Assert.Equal(2, Voting.BestOfN([double.NaN, 1, 3, 3]));
        Assert.Throws<ArgumentException>(() => Voting.BestOfN([double.NaN]));
    }

    [Theory]
    [InlineData(5, 2, 2, 0.7)] // 1 - C(3,2)/C(5,2) = 1 - 3/10
    [InlineData(5, 2, 1, 0.4)]
    [InlineData(5, 0, 5, 0)]
    [InlineData(5, 1, 5, 1)]
    [InlineData(4, 4, 1, 1)]
    public void PassAtK_HandWorked(int samples, int correct, int k, double expected) =>
        Assert.Equal(expected, TestTime.PassAtK(samples, correct, k), 12);

    [Fact]
    public void MajorityAccuracy_TheLawOfVoting()
    {
        double Binary(double p, int n) => TestTime.MajorityAccuracy([p, 1 - p], n);
        Assert.Equal([0.6, 0.648, 0.683, 0.710], new[] { 1, 3, 5, 7 }.Select(n => Math.Round(Binary(0.6, n), 3)));
        for (var n = 1; n < 60; n += 2)
        {
            Assert.True(Binary(0.6, n + 2) > Binary(0.6, n) && Binary(0.4, n + 2) < Binary(0.4, n));
            Assert.Equal(Binary(0.6, n), Binary(0.6, n + 1), 10); // an even vote with a fair lot is no better
            Assert.Equal(0.5, Binary(0.5, n), 10);
        }

        Assert.Equal(
            [0.400, 0.448, 0.509, 0.617, 0.708],
            new[] { 1, 3, 5, 10, 16 }.Select(n => Math.Round(TestTime.MajorityAccuracy([0.4, 0.2, 0.2, 0.2], n), 3))
        );
        // Where the mode is wrong it worsens. Counted apart in whole-number fractions: 0.2294523363852288 at 16, so 0.229 and not 0.230 to
        // three decimals.
        Assert.Equal(0.3, TestTime.MajorityAccuracy([0.3, 0.4, 0.3], 1), 15);
        Assert.Equal(0.2294523363852288, TestTime.MajorityAccuracy([0.3, 0.4, 0.3], 16), 13);
        Assert.Equal(1, TestTime.MajorityAccuracy([1], 150), 9);
        Assert.True(Binary(0.6, 149) > 0.99);
    }

    /// <summary>Over many questions the curve saturates at the share of those whose mode is right.</summary>
    [Fact]
    public void MajorityAccuracy_OverQuestions_TendsToTheShareOfRightModes()
    {
        double[][] questions =
        [
            [0.9, 0.1],
            [0.7, 0.2, 0.1],
            [0.5, 0.25, 0.25],
            [0.4, 0.2, 0.2, 0.2],
            [0.2, 0.7, 0.1],
            [0.3, 0.6, 0.1],
            [0.5, 0.5],
            [0.1, 0.8, 0.1],
        ];
        double Mean(int n) => questions.Average(p => TestTime.MajorityAccuracy(p, n));
        // Four right modes, a tie between two, three wrong ones.
        Assert.InRange(Mean(150), 4.5 / 8 - 2e-3, 4.5 / 8 + 2e-3);
        Assert.True(
            Math.Abs(Mean(150) - 4.5 / 8) < Math.Abs(Mean(60) - 4.5 / 8) && Math.Abs(Mean(60) - 4.5 / 8) < Math.Abs(Mean(15) - 4.5 / 8)
        );
    }

    /// <summary>p^{1/T}: near temperature 0 all samples are the mode, and voting gains nothing.</summary>
    [Fact]
    public void MajorityAccuracy_GainsNothingAtTemperatureZero()
    {
        double Gain(double temperature)
        {
            double[] weights = [.. new[] { 0.4, 0.2, 0.2, 0.2 }.Select(p => Math.Pow(p, 1 / temperature))];
            double[] sharpened = [.. weights.Select(weight => weight / weights.Sum())];
            return TestTime.MajorityAccuracy(sharpened, 16) - sharpened[0];
        }
        Assert.Equal(0.708 - 0.4, Gain(1), 5e-4);
        Assert.InRange(Gain(0.05), 0, 1e-5);
        Assert.True(Gain(0.5) > Gain(0.25) && Gain(0.25) > Gain(0.05));
    }

    /// <summary>The mean of pass@k over samples of n is 1 − (1 − p)^k.</summary>
    [Fact]
    public void PassAtK_IsUnbiased()
    {
        foreach (double p in new[] { 0.05, 0.3, 0.8 })
        foreach (int k in new[] { 1, 3, 10 })
        {
            double mean = 0,
                probability = Math.Pow(1 - p, 10);
            for (int right = 0; right <= 10; right++)
            {
                if (right > 0)
                    probability *= (11.0 - right) / right * p / (1 - p);
                mean += probability * TestTime.PassAtK(10, right, k);
            }
            Assert.Equal(TestTime.BestOfNAccuracy(p, k), mean, 13);
        }
    }

    /// <summary>The RLHF optimum π·e^{r/β}/Z raises maj@k where the right answer becomes the mode; pass@k was near 1 before (the finding of
    /// DeepSeekMath, arXiv:2402.03300, section 5.2.2).</summary>
    [Fact]
    public void TheRlhfOptimum_RaisesMajorityAtK_AndHardlyPassAtK()
    {
        using var scope = NewDisposeScope();
        var tree = new TokenTree(4, 1);
        var rewards = tensor(new double[] { 1, 0, 0, 0 });
        double[][] questions =
        [
            [0.4, 0.2, 0.2, 0.2],
            [0.25, 0.45, 0.2, 0.1],
            [0.3, 0.35, 0.3, 0.05],
        ];
        double[][] trained =
        [
            .. questions.Select(p => Numbers.Values(Optima.Rlhf(tree, tensor(p).log().unsqueeze(0), rewards, 1).LogProbs.exp())),
        ];
        foreach (var (before, after) in questions.Zip(trained))
            Assert.Equal(before[0] * Math.E / (1 + before[0] * (Math.E - 1)), after[0], 14);
        double Majority(double[][] policy) => policy.Average(p => TestTime.MajorityAccuracy(p, 64));
        double Pass(double[][] policy) => policy.Average(p => TestTime.BestOfNAccuracy(p[0], 64));
        Assert.True(Majority(trained) > Majority(questions) + 0.5, $"{Majority(questions)} to {Majority(trained)}");
        Assert.InRange(Pass(trained) - Pass(questions), 0, 1e-8);
        // pass@1 does rise: what is learnt is to draw the right answer more often, not to find more of them.
        Assert.True(trained.Average(p => p[0]) > questions.Average(p => p[0]) + 0.2);
    }

    [Fact]
    public void MajorityAtK_EqualsAllSubsets_AndIsUnbiased()
    {
        int[] counts = [3, 2, 1, 1];
        var answers = counts.SelectMany((count, answer) => Enumerable.Repeat(answer, count)).ToArray();
        for (var k = 1; k <= answers.Length; k++)
        {
            var scores = new List<double>();
            for (var subset = 0; subset < 1 << answers.Length; subset++)
            {
                if (System.Numerics.BitOperations.PopCount((uint)subset) != k)
                    continue;
                var votes = answers
                    .Where((_, i) => (subset >> i & 1) == 1)
                    .GroupBy(answer => answer)
                    .ToDictionary(group => group.Key, group => group.Count());
                var winners = votes.Where(vote => vote.Value == votes.Values.Max()).Select(vote => vote.Key).ToArray();
                scores.Add(winners.Contains(0) ? 1.0 / winners.Length : 0);
            }

            Assert.Equal(scores.Average(), TestTime.MajorityAtK(counts, k), 12);
        }

        // The mean over samples of 4 with p = 0.6 is the accuracy of a vote of 3.
        var mean = Enumerable
            .Range(0, 5)
            .Sum(c => new[] { 1, 4, 6, 4, 1 }[c] * Math.Pow(0.6, c) * Math.Pow(0.4, 4 - c) * TestTime.MajorityAtK([c, 4 - c], 3));
        Assert.Equal(0.648, mean, 12);
    }

    [Fact]
    public void BestOfN_ClosedForms()
    {
        Assert.Equal(1.20444154, TestTime.BestOfNKl(8), 8);
        // The best of n has the density n·u^{n−1} in the rank u of its score: KL = ∫ n u^{n−1} log(n u^{n−1}) du, and it beats a sample
        // with ∫ n u^n du.
        foreach (int n in new[] { 2, 8, 50 })
        {
            double Mean(Func<double, double> of) =>
                Enumerable.Range(0, 200_000).Sum(i => (i + 0.5) / 200_000 is var u ? n * Math.Pow(u, n - 1) * of(u) / 200_000 : 0);
            Assert.Equal(Mean(u => Math.Log(n) + (n - 1) * Math.Log(u)), TestTime.BestOfNKl(n), 7);
            Assert.Equal(Mean(u => u), TestTime.BestOfNWinRate(n), 7);
        }
        Assert.Equal(0, TestTime.BestOfNKl(1));
        Assert.Equal(0.784, TestTime.BestOfNAccuracy(0.4, 3), 12);
        Assert.Equal(0.8, TestTime.BestOfNWinRate(4));
        Assert.Throws<ArgumentOutOfRangeException>(() => TestTime.PassAtK(3, 4, 1));
        Assert.Throws<ArgumentException>(() => TestTime.MajorityAccuracy([0.5, 0.6], 3));
        Assert.Throws<ArgumentOutOfRangeException>(() => TestTime.MajorityAccuracy([0.5, 0.5], 151));
    }
}
