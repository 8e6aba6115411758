using PostTrain.Exact;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Exact;

/// <summary>Where preference losses end when every pair of a bandit is seen as often as the preferences say: trained, and in closed
/// form.</summary>
public sealed class PreferenceOptimaTests
{
    private const int Actions = 6;
    private const double Beta = 0.3;

    private static readonly TokenTree Bandit = new(Actions, 1);

    private static double TotalVariation(Tensor first, Tensor second) => (first - second).abs().sum().ToDouble() / 2;

    // p(i ≻ j) = σ(r_i − r_j)
    private static Tensor BradleyTerry(Tensor rewards) => (rewards.unsqueeze(1) - rewards.unsqueeze(0)).sigmoid();

    /// <summary>Newton's method on Σ_ij w_ij·loss(i over j), Hessian by differences of gradients: the margins are linear in the
    /// logits.</summary>
    private static Tensor Train(DpoLoss loss, Tensor referenceLogits, Tensor weights, double beta, int steps = 12)
    {
        var (chosen, rejected) = (arange(Actions).repeat_interleave(Actions), arange(Actions).repeat(Actions));
        var options = new DpoObjective { Beta = beta, Loss = loss };
        PairLogProbs Pairs(Tensor logits)
        {
            var logProbs = ExactPolicy.LogProbs(Bandit, logits.reshape(1, Actions));
            return new PairLogProbs(logProbs.index_select(0, chosen), logProbs.index_select(0, rejected));
        }
        Tensor Slope(Tensor logits) =>
            Numbers.Gradient(z => PreferenceLosses.Dpo(Pairs(z), Pairs(referenceLogits), options, weights.reshape(-1), 1).Loss, logits);
        var logits = referenceLogits.detach().reshape(-1).clone();
        var moves = eye(Actions, dtype: ScalarType.Float64) * 1e-4;
        for (int step = 0; step < steps; step++)
        {
            var columns = Enumerable.Range(0, Actions).Select(i => (Slope(logits + moves[i]) - Slope(logits - moves[i])) / 2e-4).ToArray();
            // All logits together may rise: that direction is fixed by the constant.
            var hessian = stack(columns, 1) + 1.0 / Actions;
            logits = logits - linalg.solve(hessian, Slope(logits));
        }
        return ExactPolicy.LogProbs(Bandit, logits.reshape(1, Actions)).exp();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Dpo_EndsAtTheRlhfOptimum(int seed)
    {
        using var scope = NewDisposeScope();
        var (reference, rewards) = (Numbers.Uniform(10 * seed, 1, 1, Actions), Numbers.Uniform(10 * seed + 1, 1, Actions));
        var expected = Optima.Rlhf(Bandit, reference, rewards, Beta).LogProbs.exp();
        var preferences = BradleyTerry(rewards);
        Assert.InRange(TotalVariation(expected, Train(MarginLoss.Sigmoid(), reference, preferences, Beta)), 0, 1e-10);
        // However often each pair is asked.
        var asked = Numbers.Uniform(10 * seed + 2, 0.45, Actions, Actions) + 0.5;
        Assert.InRange(TotalVariation(expected, Train(MarginLoss.Sigmoid(), reference, preferences * (asked + asked.t()), Beta)), 0, 1e-10);
        // The reference itself is elsewhere.
        Assert.True(TotalVariation(expected, ExactPolicy.LogProbs(Bandit, reference).exp()) > 0.1);
    }

    [Theory]
    [InlineData(0.1)]
    [InlineData(0.2)]
    [InlineData(0.4)]
    public void RobustDpo_EndsThereOnFlippedLabels_AndDpoDoesNot(double flips)
    {
        using var scope = NewDisposeScope();
        var (reference, rewards) = (Numbers.Uniform(41, 1, 1, Actions), Numbers.Uniform(42, 1, Actions));
        var expected = Optima.Rlhf(Bandit, reference, rewards, Beta).LogProbs.exp();
        var preferences = BradleyTerry(rewards);
        var flipped = preferences * (1 - flips) + preferences.t() * flips;
        Assert.InRange(TotalVariation(expected, Train(MarginLoss.Robust(flips), reference, flipped, Beta)), 0, 1e-10);
        Assert.True(TotalVariation(expected, Train(MarginLoss.Sigmoid(), reference, flipped, Beta)) > 0.02);
        // cDPO on clean labels learns what DPO learns on flipped ones.
        Assert.InRange(
            TotalVariation(
                Train(MarginLoss.Sigmoid(), reference, flipped, Beta),
                Train(MarginLoss.Sigmoid(flips), reference, preferences, Beta)
            ),
            0,
            1e-10
        );
    }

    /// <summary>From n sampled preferences DPO misses the optimum by a squared total variation of C/n on average: the slope in logarithms
    /// is −1.</summary>
    [Fact]
    public void Dpo_OnSamples_ComesNearerAsOneOverN()
    {
        using var scope = NewDisposeScope();
        var (reference, rewards) = (Numbers.Uniform(31, 1, 1, Actions), Numbers.Uniform(32, 1, Actions));
        var expected = Optima.Rlhf(Bandit, reference, rewards, Beta).LogProbs.exp();
        double[] preferences = Numbers.Values(BradleyTerry(rewards));
        int[] sizes = [400, 1600, 6400, 25600];
        double[] distances =
        [
            .. sizes.Select(size =>
                Math.Log(
                    Enumerable
                        .Range(0, 12)
                        .Average(seed =>
                        {
                            using var inner = NewDisposeScope();
                            var random = new Random(1000 * seed + size);
                            var counts = new double[Actions * Actions];
                            for (int i = 0; i < size; i++)
                            {
                                int pair = random.Next(Actions * Actions);
                                // Who wins is the chosen one.
                                counts[random.NextDouble() < preferences[pair] ? pair : pair % Actions * Actions + pair / Actions]++;
                            }
                            double distance = TotalVariation(
                                expected,
                                Train(MarginLoss.Sigmoid(), reference, tensor(counts).reshape(Actions, Actions) / size, Beta, steps: 7)
                            );
                            return distance * distance;
                        })
                )
            ),
        ];
        double[] x = [.. sizes.Select(size => Math.Log(size))];
        double slope = x.Zip(distances, (a, b) => (a - x.Average()) * b).Sum() / x.Sum(a => (a - x.Average()) * (a - x.Average()));
        // The mean of 12 squares varies by about 0.2 in logarithms, so the slope by 0.06: three of that.
        Assert.InRange(slope, -1.2, -0.8);
    }

    [Fact]
    public void Ipo_GivesTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        // The second always loses, the others draw; μ even: p(y ≻ μ) = (2/3, 1/6, 2/3), with τ = ½/log 4: e^{(1/2)/τ} = 4^{1}: π ∝ (4, 1,
        // 4).
        var preferences = tensor(
            new double[,]
            {
                { 0.5, 1, 0.5 },
                { 0, 0.5, 0 },
                { 0.5, 1, 0.5 },
            }
        );
        var found = Optima.Ipo(
            new TokenTree(3, 1),
            zeros(1, 3, dtype: ScalarType.Float64),
            preferences,
            full(3, 1.0 / 3, dtype: ScalarType.Float64),
            0.5 / Math.Log(4)
        );
        TensorAssert.Close([4.0 / 9, 1.0 / 9, 4.0 / 9], found.LogProbs.exp(), 1e-14);
        TensorAssert.Close([4.0 / 9, 1.0 / 9, 4.0 / 9], found.Logits.softmax(-1), 1e-14);
    }

    [Theory]
    [InlineData(0.3)]
    [InlineData(2)]
    public void Ipo_EndsAtItsOwnOptimum(double tau)
    {
        using var scope = NewDisposeScope();
        var (reference, rewards) = (Numbers.Uniform(51, 1, 1, Actions), Numbers.Uniform(52, 2, Actions));
        var comparison = Numbers.Uniform(53, 1, Actions).softmax(0);
        var drawn = comparison.unsqueeze(1) * comparison.unsqueeze(0);
        // Bradley and Terry's preferences, a cycle that no reward explains, and certain ones.
        var order = arange(Actions, dtype: ScalarType.Float64);
        var ahead = order.unsqueeze(1) - order.unsqueeze(0);
        Tensor[] worlds = [BradleyTerry(rewards), (ahead * (2 * Math.PI / Actions)).sin() * 0.4 + 0.5, (ahead.sign() + 1) / 2];
        foreach (var preferences in worlds)
        {
            var found = Optima.Ipo(Bandit, reference, preferences, comparison, tau);
            Assert.InRange(
                TotalVariation(found.LogProbs.exp(), Train(DpoLoss.Ipo(lengthNormalized: false), reference, preferences * drawn, tau)),
                0,
                1e-10
            );
        }
        // Another optimum than that of DPO.
        Assert.True(
            TotalVariation(
                Optima.Ipo(Bandit, reference, worlds[0], comparison, tau).LogProbs.exp(),
                Optima.Rlhf(Bandit, reference, rewards, tau).LogProbs.exp()
            ) > 0.05
        );
    }

    [Fact]
    public void CertainPreferences_DriveDpoWithoutEnd()
    {
        using var scope = NewDisposeScope();
        var reference = zeros(1, Actions, dtype: ScalarType.Float64);
        var order = arange(Actions, dtype: ScalarType.Float64);
        var certain = ((order.unsqueeze(1) - order.unsqueeze(0)).sign() + 1) / 2;
        double Best(int steps) => Train(MarginLoss.Sigmoid(), reference, certain, 1, steps)[Actions - 1].ToDouble();
        Assert.True(Best(8) > Best(4));
        Assert.True(Best(8) > 0.99);
        // IPO's ratios stay within e^{1/τ}.
        double[] bounded = Numbers.Values(
            Optima.Ipo(Bandit, reference, certain, full(Actions, 1.0 / Actions, dtype: ScalarType.Float64), 1).LogProbs
        );
        Assert.InRange(bounded.Max() - bounded.Min(), 0.8, 1);
    }

    [Fact]
    public void Errors_NameWhatWasGivenAndExpected()
    {
        using var scope = NewDisposeScope();
        var tree = new TokenTree(2, 1);
        var (reference, even, comparison) = (
            zeros(1, 2, dtype: ScalarType.Float64),
            full(2, 2, 0.5, dtype: ScalarType.Float64),
            full(2, 0.5, dtype: ScalarType.Float64)
        );
        Assert.Equal("tau", Assert.Throws<ArgumentOutOfRangeException>(() => Optima.Ipo(tree, reference, even, comparison, 0)).ParamName);
        Assert.Contains(
            "preferences has shape [2], expected [2, 2]",
            Assert.Throws<ArgumentException>(() => Optima.Ipo(tree, reference, comparison, comparison, 1)).Message,
            StringComparison.Ordinal
        );
        Assert.Equal("comparisonProbs", Assert.Throws<ArgumentException>(() => Optima.Ipo(tree, reference, even, even, 1)).ParamName);
        Assert.Contains(
            "do not sum to 1",
            Assert.Throws<ArgumentException>(() => Optima.Ipo(tree, reference, even * 0.9, comparison, 1)).Message,
            StringComparison.Ordinal
        );
        Assert.Equal("preferences", Assert.Throws<ArgumentException>(() => Optima.Ipo(tree, reference, even / 0, comparison, 1)).ParamName);
    }

    [Fact]
    public void Ipo_LeavesItsResultsOnly()
    {
        using var reference = Numbers.Uniform(61, 1, 1, 3);
        using var preferences = full(3, 3, 0.5, dtype: ScalarType.Float64);
        using var comparison = full(3, 1.0 / 3, dtype: ScalarType.Float64);
        Ownership.Check(
            () =>
            {
                var found = Optima.Ipo(new TokenTree(3, 1), reference, preferences, comparison, 1);
                return [found.Logits, found.LogProbs, found.Value];
            },
            reference,
            preferences,
            comparison
        );
    }
}
