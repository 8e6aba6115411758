using PostTrain.RewardModeling;
using PostTrain.RewardModeling.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.RewardModeling;

public sealed class RewardModelLossesTests
{
    private static readonly double Log2 = Math.Log(2),
        Log3 = Math.Log(3);

    [Theory]
    [InlineData(ScalarType.Float32, 1e-6)]
    [InlineData(ScalarType.Float64, 1e-14)]
    public void BradleyTerry_GivesTheHandWorkedNumbers(ScalarType type, double tolerance)
    {
        using var scope = NewDisposeScope();
        // d = log 3, 0 and −log 3: −log σ is log(4/3), log 2 and log 4.
        var chosen = tensor([Log3, 1.0, 0.0]).to_type(type);
        var rejected = tensor([0.0, 1.0, Log3]).to_type(type);
        var loss = RewardModelLosses.BradleyTerry(chosen, rejected);
        TensorAssert.Close([Math.Log(4.0 / 3), Log2, Math.Log(4)], loss.PairLosses, tolerance);
        TensorAssert.Close((Math.Log(4.0 / 3) + Log2 + Math.Log(4)) / 3, loss.Loss, tolerance);
        TensorAssert.Close(1.0 / 3, loss.Accuracy, tolerance);
        TensorAssert.Close(0, loss.Margin, tolerance);
        TensorAssert.Close((2 * Log3 + 2) / 6, loss.MeanReward, tolerance);
        TensorAssert.Close(0, loss.MinimumReward, tolerance);
        TensorAssert.Close(Log3, loss.MaximumReward, tolerance);
        Assert.Equal(type, loss.Loss.dtype);
        // −σ(−d)/3
        TensorAssert.Close(
            [-0.25 / 3, -0.5 / 3, -0.75 / 3],
            Numbers.Gradient(x => RewardModelLosses.BradleyTerry(x, rejected).Loss, chosen),
            tolerance
        );
        // A margin of log 3 on the first leaves d = 0.
        var margins = tensor([Log3, 0, 0]).to_type(type);
        TensorAssert.Close([Log2, Log2, Math.Log(4)], RewardModelLosses.BradleyTerry(chosen, rejected, margins).PairLosses, tolerance);
        // 0.9·log(4/3) + 0.1·log 4 for the first; ¼·(1 + 1)² = 1 more for the second with centring.
        var smoothed = RewardModelLosses
            .BradleyTerry(chosen, rejected, null, new BradleyTerryObjective { LabelSmoothing = 0.1 })
            .PairLosses;
        TensorAssert.Close(0.9 * Math.Log(4.0 / 3) + 0.1 * Math.Log(4), smoothed[0], tolerance);
        var centred = RewardModelLosses
            .BradleyTerry(chosen, rejected, null, new BradleyTerryObjective { CenteringCoefficient = 0.25 })
            .PairLosses;
        TensorAssert.Close(Log2 + 1, centred[1], tolerance);
    }

    [Fact]
    public void SoftLabels_HaveTheirOptimumAtTheLogOdds_AndAreBradleyTerryAtOne()
    {
        using var scope = NewDisposeScope();
        var probabilities = tensor([0.1, 0.5, 0.8]);
        var second = tensor([0.3, -1.0, 2.0]);
        var optimum = second + (probabilities / (1 - probabilities)).log();
        TensorAssert.Close(
            [0, 0, 0],
            Numbers.Gradient(x => RewardModelLosses.SoftBradleyTerry(x, second, probabilities).Loss, optimum),
            1e-16
        );
        var first = Numbers.Uniform(1, 2, 3);
        TensorAssert.Same(
            RewardModelLosses.BradleyTerry(first, second).Loss,
            RewardModelLosses.SoftBradleyTerry(first, second, ones(3, dtype: ScalarType.Float64)).Loss
        );
        TensorAssert.Close(
            RewardModelLosses.BradleyTerry(first, second, null, new BradleyTerryObjective { LabelSmoothing = 0.2 }).Loss,
            RewardModelLosses.SoftBradleyTerry(first, second, full([3], 0.8, dtype: ScalarType.Float64)).Loss,
            1e-15
        );
        // Prefers the second, no preference, the first: of the rewards' orders first, first and first, only the last agrees.
        TensorAssert.Close(1.0 / 3, RewardModelLosses.SoftBradleyTerry(second + 1, second, probabilities).Accuracy, 1e-15);
    }

    /// <summary>A judge that is wrong once in 1/ε times shrinks a true margin of 3 to log((σ(3)(1−ε) + σ(−3)ε)/(σ(−3)(1−ε) + σ(3)ε)); the
    /// order stays as long as ε is below ½.</summary>
    [Theory]
    [InlineData(0, 3)]
    [InlineData(0.1, 1.833)]
    [InlineData(0.3, 0.759)]
    [InlineData(0.5, 0)]
    [InlineData(0.7, -0.759)]
    public void NoisyLabels_ShrinkTheMargin_AndKeepTheOrder(double flips, double expected)
    {
        using var scope = NewDisposeScope();
        double right = 1 / (1 + Math.Exp(-3)),
            seen = right * (1 - flips) + (1 - right) * flips;
        double margin = Math.Log(seen / (1 - seen));
        Assert.Equal(expected, margin, 5e-4);
        // The minimum over clean labels and flipped ones in their shares, by the loss on pairs in both orders.
        var rewards = tensor(new[] { margin, 0.0 });
        Tensor Loss(Tensor r) =>
            (RewardModelLosses.BradleyTerry(r.narrow(0, 0, 1), r.narrow(0, 1, 1)).Loss * seen)
            + (RewardModelLosses.BradleyTerry(r.narrow(0, 1, 1), r.narrow(0, 0, 1)).Loss * (1 - seen));
        TensorAssert.Close([0, 0], Numbers.Gradient(Loss, rewards), 1e-15);
    }

    [Fact]
    public void AConstantAddedToAllRewards_ChangesOnlyTheCentredLoss()
    {
        using var scope = NewDisposeScope();
        var (chosen, rejected) = (Numbers.Uniform(2, 2, 5), Numbers.Uniform(3, 2, 5));
        TensorAssert.Close(
            RewardModelLosses.BradleyTerry(chosen, rejected).Loss,
            RewardModelLosses.BradleyTerry(chosen + 7, rejected + 7).Loss,
            1e-14
        );
        var centring = new BradleyTerryObjective { CenteringCoefficient = 0.5 };
        double difference = (
            RewardModelLosses.BradleyTerry(chosen + 7, rejected + 7, null, centring).Loss
            - RewardModelLosses.BradleyTerry(chosen, rejected, null, centring).Loss
        ).ToDouble();
        // ½ mean[(s + 14)² − s²] = 14·mean(s) + 98
        Assert.Equal(14 * (chosen + rejected).mean().ToDouble() + 98, difference, 1e-10);
        var (ranks, mask) = (Numbers.Ids(4, 3, 2, 4), Numbers.Mask(4, 4, 3));
        var rewards = Numbers.Uniform(5, 2, 2, 4);
        TensorAssert.Close(
            RewardModelLosses.KWise(rewards, ranks, mask).Loss,
            RewardModelLosses.KWise(rewards - 3, ranks, mask).Loss,
            1e-14
        );
        TensorAssert.Close(
            RewardModelLosses.PlackettLuce(rewards, ranks, mask).Loss,
            RewardModelLosses.PlackettLuce(rewards - 3, ranks, mask).Loss,
            1e-14
        );
    }

    [Fact]
    public void Rankings_GiveTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        // Strengths 3, 1, 2 of the best, the second and the worst; the second prompt has a tie of strengths 1 and 3, and one place without
        // an answer.
        var rewards = tensor(
            new[,]
            {
                { 0, Log2, Log3 },
                { 0, Log3, double.NaN },
            }
        );
        var ranks = tensor(
            new long[,]
            {
                { 2, 3, 1 },
                { 5, 5, 0 },
            }
        );
        var mask = tensor(
            new double[,]
            {
                { 1, 1, 1 },
                { 1, 1, 0 },
            }
        );
        var kWise = RewardModelLosses.KWise(rewards, ranks, mask);
        // Pairs (3,1), (3,2), (1,2): −log of 3/4, 3/5 and 1/3.
        TensorAssert.Close([-Math.Log(0.75 * 0.6 / 3) / 3, 0], kWise.PromptLosses, 1e-14);
        TensorAssert.Close(-Math.Log(0.75 * 0.6 / 3) / 3, kWise.Loss, 1e-14);
        TensorAssert.Close(2.0 / 3, kWise.Accuracy, 1e-14);
        var luce = RewardModelLosses.PlackettLuce(rewards, ranks, mask);
        // 3/6 · 1/3 · 2/2; with Breslow's ties 1/4 · 3/4. The second prompt has no pair.
        TensorAssert.Close([Math.Log(6), -Math.Log(3.0 / 16)], luce.PromptLosses, 1e-14);
        TensorAssert.Finite(Numbers.Gradient(x => RewardModelLosses.PlackettLuce(x, ranks, mask).Loss, rewards));
        TensorAssert.Finite(Numbers.Gradient(x => RewardModelLosses.KWise(x, ranks, mask).Loss, rewards));
    }

    [Fact]
    public void RankingsOfTwo_AreBradleyTerry()
    {
        using var scope = NewDisposeScope();
        var rewards = Numbers.Uniform(6, 2, 5, 2);
        var ranks = tensor(new long[] { 0, 1 }).unsqueeze(0).expand(5, 2);
        var mask = ones(5, 2);
        var expected = RewardModelLosses.BradleyTerry(rewards.select(1, 0), rewards.select(1, 1));
        foreach (
            var ranking in new[] { RewardModelLosses.KWise(rewards, ranks, mask), RewardModelLosses.PlackettLuce(rewards, ranks, mask) }
        )
        {
            TensorAssert.Close(expected.PairLosses, ranking.PromptLosses, 1e-15);
            TensorAssert.Close(expected.Loss, ranking.Loss, 1e-15);
            TensorAssert.Close(expected.Accuracy, ranking.Accuracy, 0);
        }
    }

    /// <summary>The probabilities of all orders of an answer set sum to 1.</summary>
    [Fact]
    public void PlackettLuce_IsADistributionOverOrders()
    {
        using var scope = NewDisposeScope();
        var rewards = tensor(new[] { 0.3, -1.2, 2.0 }).unsqueeze(0).expand(6, 3);
        var ranks = tensor(
            new long[,]
            {
                { 0, 1, 2 },
                { 0, 2, 1 },
                { 1, 0, 2 },
                { 1, 2, 0 },
                { 2, 0, 1 },
                { 2, 1, 0 },
            }
        );
        TensorAssert.Close(1, RewardModelLosses.PlackettLuce(rewards, ranks, ones(6, 3)).PromptLosses.neg().exp().sum(), 1e-14);
    }

    /// <summary>Labels drawn exactly with Bradley-Terry's probabilities have the true differences as optimum.</summary>
    [Fact]
    public void NewtonsMethod_FindsTheTrueRewards()
    {
        using var scope = NewDisposeScope();
        var truth = tensor([0.7, -0.4, 1.1]);
        var (first, second) = (tensor(new long[] { 0, 0, 1 }), tensor(new long[] { 1, 2, 2 }));
        var probabilities = (truth.index_select(0, first) - truth.index_select(0, second)).sigmoid();
        var rewards = zeros(3, dtype: ScalarType.Float64);
        for (int step = 0; step < 8; step++)
        {
            var gradient = Numbers.Gradient(
                x => RewardModelLosses.SoftBradleyTerry(x.index_select(0, first), x.index_select(0, second), probabilities).Loss,
                rewards
            );
            // The Hessian (1/3) Σ σ(d)σ(−d)(e_i − e_j)(e_i − e_j)ᵀ is singular along the constant: a unit there fixes it.
            var edges = zeros(3, 3, dtype: ScalarType.Float64);
            for (int pair = 0; pair < 3; pair++)
            {
                edges[pair, first[pair].ToInt64()] = 1;
                edges[pair, second[pair].ToInt64()] = -1;
            }
            var slope = (rewards.index_select(0, first) - rewards.index_select(0, second)).sigmoid();
            var hessian = edges.t().matmul((slope * (1 - slope)).unsqueeze(1) * edges) / 3 + ones(3, 3, dtype: ScalarType.Float64);
            rewards = rewards - Solve(hessian, gradient);
        }
        TensorAssert.Close(truth - truth.mean(), rewards - rewards.mean(), 1e-12);
    }

    [Fact]
    public void Gradients_AgreeWithDifferences()
    {
        using var scope = NewDisposeScope();
        var margins = Numbers.Uniform(7, 1, 4);
        var options = new BradleyTerryObjective { CenteringCoefficient = 0.1, LabelSmoothing = 0.2 };
        GradientCheck.Run(
            x => RewardModelLosses.BradleyTerry(x[0], x[1], margins, options).Loss,
            Numbers.Uniform(8, 2, 4),
            Numbers.Uniform(9, 2, 4)
        );
        var probabilities = Numbers.Uniform(10, 0.5, 4) + 0.5;
        GradientCheck.Run(
            x => RewardModelLosses.SoftBradleyTerry(x[0], x[1], probabilities, margins, 0.1).Loss,
            Numbers.Uniform(11, 2, 4),
            Numbers.Uniform(12, 2, 4)
        );
        var (ranks, mask) = (Numbers.Ids(13, 3, 3, 4), Numbers.Mask(4, 4, 3, 1));
        GradientCheck.Run(x => RewardModelLosses.KWise(x[0], ranks, mask).Loss, Numbers.Uniform(14, 2, 3, 4));
        GradientCheck.Run(x => RewardModelLosses.PlackettLuce(x[0], ranks, mask).Loss, Numbers.Uniform(15, 2, 3, 4));
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    public void ExtremeRewards_GiveFiniteLossesAndGradients(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var chosen = tensor([1e4, -1e4]).to_type(type);
        TensorAssert.Close([0, 2e4], RewardModelLosses.BradleyTerry(chosen, -chosen).PairLosses, 0);
        TensorAssert.Close([0, -0.5], Numbers.Gradient(x => RewardModelLosses.BradleyTerry(x, -chosen).Loss, chosen), 0);
        var rewards = tensor(
                new double[,]
                {
                    { 1e4, 0, -1e4 },
                    { -1e4, 0, 1e4 },
                }
            )
            .to_type(type);
        var ranks = tensor(
            new long[,]
            {
                { 0, 1, 2 },
                { 0, 1, 2 },
            }
        );
        TensorAssert.Close([0, 4e4 / 3], RewardModelLosses.KWise(rewards, ranks, ones(2, 3)).PromptLosses, 1e-6);
        TensorAssert.Close([0, 3e4], RewardModelLosses.PlackettLuce(rewards, ranks, ones(2, 3)).PromptLosses, 0);
        TensorAssert.Close(
            [0, 0, 0, -0.5, -0.5, 1],
            Numbers.Gradient(x => RewardModelLosses.PlackettLuce(x, ranks, ones(2, 3)).Loss, rewards),
            1e-7
        );
    }

    [Fact]
    public void BFloat16_StaysItsTypeAndNearFloat64()
    {
        using var scope = NewDisposeScope();
        var (rewards, ranks, mask) = (
            Numbers.Uniform(26, 2, 3, 4).to_type(ScalarType.BFloat16),
            Numbers.Ids(27, 4, 3, 4),
            Numbers.Mask(4, 4, 2, 3)
        );
        foreach (
            var function in new Func<Tensor, Tensor>[]
            {
                x => RewardModelLosses.KWise(x, ranks, mask).Loss,
                x => RewardModelLosses.PlackettLuce(x, ranks, mask).Loss,
                x => RewardModelLosses.BradleyTerry(x.select(1, 0), x.select(1, 1)).Loss,
            }
        )
        {
            Assert.Equal(ScalarType.BFloat16, function(rewards).dtype);
            TensorAssert.Close(function(rewards.to_type(ScalarType.Float64)), function(rewards), 3e-2);
        }
    }

    [Fact]
    public void NothingToCompare_GivesZero_AndPartsAddUp()
    {
        using var scope = NewDisposeScope();
        var none = zeros(0, dtype: ScalarType.Float64);
        var empty = RewardModelLosses.BradleyTerry(none, none);
        foreach (
            var value in new[] { empty.Loss, empty.Accuracy, empty.Margin, empty.MeanReward, empty.MinimumReward, empty.MaximumReward }
        )
            TensorAssert.Close(0, value, 0);
        var single = Numbers.Uniform(16, 1, 2, 1);
        foreach (
            var ranking in new[]
            {
                RewardModelLosses.KWise(single, zeros_like(single), ones(2, 1)),
                RewardModelLosses.PlackettLuce(single, zeros_like(single), ones(2, 1)),
            }
        )
            TensorAssert.Close(0, ranking.Loss, 0);
        var (rewards, ranks, mask) = (Numbers.Uniform(17, 1, 3, 4), Numbers.Ids(18, 4, 3, 4), Numbers.Mask(4, 4, 2, 3));
        TensorAssert.Zero(Numbers.Gradient(x => RewardModelLosses.PlackettLuce(x, ranks, zeros(3, 4)).Loss, rewards));
        double prompts = 3;
        var parts =
            RewardModelLosses.KWise(rewards.narrow(0, 0, 1), ranks.narrow(0, 0, 1), mask.narrow(0, 0, 1), prompts).Loss
            + RewardModelLosses.KWise(rewards.narrow(0, 1, 2), ranks.narrow(0, 1, 2), mask.narrow(0, 1, 2), prompts).Loss;
        TensorAssert.Close(RewardModelLosses.KWise(rewards, ranks, mask, prompts).Loss, parts, 1e-15);
        Assert.True(double.IsNaN(RewardModelLosses.BradleyTerry(tensor([1.0, double.NaN]), tensor([0.0, 0])).Loss.ToDouble()));
    }

    [Fact]
    public void OnlyTheResultsStayAlive()
    {
        using var rewards = Numbers.Uniform(19, 1, 3).requires_grad_(true);
        using var others = Numbers.Uniform(20, 1, 3);
        using var probabilities = Numbers.Uniform(21, 0.5, 3).add_(0.5);
        static Tensor[] All(RewardLoss loss) =>
            [loss.Loss, loss.PairLosses, loss.Accuracy, loss.Margin, loss.MeanReward, loss.MinimumReward, loss.MaximumReward];
        Ownership.Check(
            () => All(RewardModelLosses.BradleyTerry(rewards, others, others, new BradleyTerryObjective { CenteringCoefficient = 1 })),
            rewards,
            others
        );
        Ownership.Check(() => All(RewardModelLosses.SoftBradleyTerry(rewards, others, probabilities)), rewards, others, probabilities);
        using var table = Numbers.Uniform(22, 1, 2, 3);
        using var mask = Numbers.Mask(3, 3, 2);
        foreach (
            Func<Tensor, Tensor, Tensor, double?, RankingLoss> function in new Func<Tensor, Tensor, Tensor, double?, RankingLoss>[]
            {
                RewardModelLosses.KWise,
                RewardModelLosses.PlackettLuce,
            }
        )
            Ownership.Check(
                () =>
                {
                    var loss = function(table, table, mask, null);
                    return [loss.Loss, loss.PromptLosses, loss.Accuracy];
                },
                table,
                mask
            );
    }

    [Fact]
    public void BadArguments_AreNamed()
    {
        using var scope = NewDisposeScope();
        var (three, two) = (Numbers.Uniform(23, 1, 3), Numbers.Uniform(24, 1, 2));
        Assert.Contains(
            "rejectedRewards has shape [2], expected [3]",
            Assert.Throws<ArgumentException>(() => RewardModelLosses.BradleyTerry(three, two)).Message
        );
        Assert.Contains(
            "margins has shape [2]",
            Assert.Throws<ArgumentException>(() => RewardModelLosses.BradleyTerry(three, three, two)).Message
        );
        Assert.Contains(
            "chosenRewards has type Int64",
            Assert.Throws<ArgumentException>(() => RewardModelLosses.BradleyTerry(Numbers.Ids(1, 3, 3), three)).Message
        );
        foreach (double smoothing in new[] { -0.1, 0.5, double.NaN })
            Assert.Equal(
                "LabelSmoothing",
                Assert
                    .Throws<ArgumentOutOfRangeException>(() =>
                        RewardModelLosses.BradleyTerry(three, three, null, new BradleyTerryObjective { LabelSmoothing = smoothing })
                    )
                    .ParamName
            );
        Assert.Equal(
            "CenteringCoefficient",
            Assert
                .Throws<ArgumentOutOfRangeException>(() =>
                    RewardModelLosses.BradleyTerry(three, three, null, new BradleyTerryObjective { CenteringCoefficient = -1 })
                )
                .ParamName
        );
        Assert.Equal(
            "probabilities",
            Assert.Throws<ArgumentOutOfRangeException>(() => RewardModelLosses.SoftBradleyTerry(three, three, three + 2)).ParamName
        );
        Assert.Equal(
            "denominator",
            Assert.Throws<ArgumentOutOfRangeException>(() => RewardModelLosses.BradleyTerry(three, three, denominator: -1)).ParamName
        );
        var table = Numbers.Uniform(25, 1, 2, 3);
        Assert.Contains(
            "ranks has shape [3]",
            Assert.Throws<ArgumentException>(() => RewardModelLosses.KWise(table, three, table)).Message
        );
        Assert.Contains(
            "rewards has shape [3], expected [B,K]",
            Assert.Throws<ArgumentException>(() => RewardModelLosses.PlackettLuce(three, three, three)).Message
        );
        Assert.Contains(
            "rewards has shape [2, 0]",
            Assert.Throws<ArgumentException>(() => RewardModelLosses.PlackettLuce(zeros(2, 0), zeros(2, 0), zeros(2, 0))).Message
        );
    }

    // Gauss-Jordan elimination without pivots: the matrix is positive definite.
    private static Tensor Solve(Tensor matrix, Tensor right)
    {
        int size = (int)right.shape[0];
        var (a, b) = (Numbers.Values(matrix), Numbers.Values(right));
        for (int pivot = 0; pivot < size; pivot++)
        for (int row = 0; row < size; row++)
        {
            if (row == pivot)
                continue;
            double factor = a[row * size + pivot] / a[pivot * size + pivot];
            for (int column = 0; column < size; column++)
                a[row * size + column] -= factor * a[pivot * size + column];
            b[row] -= factor * b[pivot];
        }
        return tensor(b.Select((value, row) => value / a[row * size + row]).ToArray());
    }
}
