using PostTrain.Compression;
using PostTrain.Compression.Pruning;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Compression;

/// <summary>Masks and decompositions by enumeration and closed forms.</summary>
public sealed class PruningLawsTests
{
    // The squared error of a mask on orthogonal inputs is the sum of w²‖x‖² over what goes: all masks of each row are tried.
    [Fact]
    public void Wanda_OnOrthogonalInputs_IsTheBestMask()
    {
        for (ulong seed = 0; seed < 20; seed++)
        {
            using var scope = NewDisposeScope();
            var weight = QuantizationLawsTests.Normal(seed, 3, 8).to_type(ScalarType.Float64);
            var directions = linalg.qr(QuantizationLawsTests.Normal(seed + 50, 20, 8).to_type(ScalarType.Float64)).Q;
            var inputs = directions * (rand(8, dtype: ScalarType.Float64) * 4 + 0.1);
            using var statistics = new LayerStatistics(8, ScalarType.Float64);
            statistics.Add(inputs);
            var pruned = WandaPruning.Prune(weight, statistics.FeatureNormSquared(), Sparsity.Part(0.5));
            for (var row = 0; row < 3; row++)
            {
                double best = double.PositiveInfinity;
                for (var mask = 0; mask < 256; mask++)
                {
                    if (System.Numerics.BitOperations.PopCount((uint)mask) != 4)
                        continue;
                    var gone = tensor(Enumerable.Range(0, 8).Select(i => (double)((mask >> i) & 1)).ToArray());
                    best = Math.Min(best, inputs.mv(weight[row] * gone).square().sum().ToDouble());
                }
                double found = inputs.mv(weight[row] - pruned.Weight[row]).square().sum().ToDouble();
                Assert.Equal(best, found, 1e-12 + 1e-10 * best);
            }
        }
    }

    // Optimal Brain Surgeon (Hassibi, Stork 1992): removing entry q and adapting the rest costs w²/2[H⁻¹]_qq, and the rest becomes the
    // least-squares fit without it.
    [Fact]
    public void SparseGpt_RemovingOneEntry_HasOptimalBrainSurgeonsLoss()
    {
        for (ulong seed = 0; seed < 20; seed++)
        {
            using var scope = NewDisposeScope();
            var inputs = QuantizationLawsTests
                .Normal(seed, 60, 6)
                .mm(QuantizationLawsTests.Normal(seed + 10, 6, 6))
                .to_type(ScalarType.Float64);
            var hessian = QuantizationLawsTests.Gram(inputs);
            var weight = QuantizationLawsTests.Normal(seed + 20, 1, 6).to_type(ScalarType.Float64);
            var inverse = linalg.inv(hessian);
            // The first column is taken first, when nothing has been fixed: make it the one that goes.
            weight[0, 0] *= 1e-3;
            var result = SparseGpt.Prune(weight, hessian, new SparseGptOptions { Sparsity = Sparsity.Part(1e-9), Damping = 1e-14 });
            Assert.Equal([false, true, true, true, true, true], result.Weight.Kept.data<bool>().ToArray());
            double expected = (weight[0, 0].square() / inverse[0, 0] / 2).ToDouble();
            Assert.Equal(expected, result.Loss, 1e-6 * expected);
            var change = result.Weight.Weight - weight;
            Assert.Equal(expected, (change.mm(hessian).mm(change.t()) / 2).ToDouble(), 1e-6 * expected);
            var fitted = linalg.lstsq(inputs.narrow(1, 1, 5), inputs.mm(weight.t())).Solution;
            TensorAssert.Close(fitted.reshape(-1), result.Weight.Weight[0].narrow(0, 1, 5), 1e-6, "what stays");
        }
    }

    [Theory]
    [InlineData(2, 4)]
    [InlineData(1, 4)]
    [InlineData(4, 8)]
    public void Pattern_HoldsInEveryGroup(int removed, int of)
    {
        using var scope = NewDisposeScope();
        var weight = QuantizationLawsTests.Normal(1, 6, 32);
        using var statistics = new LayerStatistics(32);
        statistics.Add(QuantizationLawsTests.Normal(2, 100, 32));
        var sparsity = Sparsity.Pattern(removed, of);
        foreach (
            var pruner in (IPruner[])
                [
                    Pruner.Magnitude(sparsity),
                    Pruner.Wanda(sparsity),
                    Pruner.SparseGpt(new SparseGptOptions { Sparsity = sparsity, BlockSize = 16 }),
                ]
        )
        {
            var pruned = pruner.Prune(weight, statistics);
            var kept = pruned.Kept.reshape(-1, of).sum(1);
            Assert.All(kept.data<long>().ToArray(), count => Assert.Equal(of - removed, count));
            TensorAssert.Zero(pruned.Weight.masked_select(pruned.Kept.logical_not()), pruner.Name);
            Assert.Equal((double)removed / of, pruned.Removed(), 12);
        }
    }

    [Fact]
    public void SparseGpt_BeatsWandaAndMagnitude_OnCorrelatedInputs()
    {
        for (ulong seed = 0; seed < 20; seed++)
        {
            using var scope = NewDisposeScope();
            var weight = QuantizationLawsTests.Normal(seed, 16, 32);
            var inputs =
                QuantizationLawsTests.Normal(seed + 100, 300, 8).mm(QuantizationLawsTests.Normal(seed + 200, 8, 32))
                + QuantizationLawsTests.Normal(seed + 300, 300, 32) * 0.3;
            using var statistics = new LayerStatistics(32);
            statistics.Add(inputs);
            var sparsity = Sparsity.Part(0.5);
            double[] errors =
            [
                .. ((IPruner[])[Pruner.SparseGpt(), Pruner.Wanda(sparsity), Pruner.Magnitude(sparsity)]).Select(pruner =>
                    statistics.OutputError(pruner.Prune(weight, statistics).Weight - weight)
                ),
            ];
            Assert.True(errors[0] < errors[1] && errors[0] < errors[2], $"seed {seed}: {string.Join(", ", errors)}");
        }
    }

    [Fact]
    public void LowRank_LeavesTheTailOfTheSingularValues()
    {
        using var scope = NewDisposeScope();
        var weight = QuantizationLawsTests.Normal(1, 12, 20).to_type(ScalarType.Float64);
        var values = linalg.svdvals(weight);
        for (var rank = 1; rank <= 12; rank++)
        {
            using var factors = LowRank.Factorize(weight, rank);
            double tail = rank == 12 ? 0 : values.narrow(0, rank, 12 - rank).square().sum().sqrt().ToDouble();
            Assert.Equal(tail, (weight - factors.Product()).norm().ToDouble(), 1e-10);
            Assert.Equal(tail, factors.Error, 1e-10);
        }
    }

    // In the metric of the inputs the error is the tail of W S, and no other matrix of the rank does better on these inputs.
    [Fact]
    public void LowRank_InTheInputsMetric_IsTheBestForTheOutputs()
    {
        for (ulong seed = 0; seed < 10; seed++)
        {
            using var scope = NewDisposeScope();
            var weight = QuantizationLawsTests.Normal(seed, 10, 16).to_type(ScalarType.Float64);
            var inputs = (QuantizationLawsTests.Normal(seed + 50, 80, 16) * QuantizationLawsTests.Normal(seed + 60, 1, 16).exp()).to_type(
                ScalarType.Float64
            );
            var gram = QuantizationLawsTests.Gram(inputs);
            var outputs = linalg.svdvals(inputs.mm(weight.t()));
            using var factors = LowRank.Factorize(weight, 4, gram);
            using var plain = LowRank.Factorize(weight, 4);
            double error = Error(factors);
            // The outputs' own best approximation of this rank: a bound for whatever makes them.
            double bound = outputs.narrow(0, 4, 6).square().sum().sqrt().ToDouble();
            Assert.Equal(bound, error, 1e-8 * bound);
            Assert.Equal(bound, factors.Error, 1e-8 * bound);
            Assert.True(Error(plain) > error * 1.01, $"seed {seed}: {Error(plain)} without the metric, {error} with it");

            double Error(LowRankFactors found) => inputs.mm((weight - found.Product()).t()).norm().ToDouble();
        }
    }

    [Fact]
    public void LowRank_WithInputsOfFewDirections_IsExactOnThem()
    {
        using var scope = NewDisposeScope();
        var weight = QuantizationLawsTests.Normal(1, 10, 16).to_type(ScalarType.Float64);
        var inputs = QuantizationLawsTests.Normal(2, 80, 3).mm(QuantizationLawsTests.Normal(3, 3, 16)).to_type(ScalarType.Float64);
        using var factors = LowRank.Factorize(weight, 3, QuantizationLawsTests.Gram(inputs));
        TensorAssert.Close(inputs.mm(weight.t()), inputs.mm(factors.Product().t()), 1e-6, "outputs");
    }

    [Fact]
    public void WhatDoesNotFit_IsRefused()
    {
        using var scope = NewDisposeScope();
        var weight = QuantizationLawsTests.Normal(1, 4, 10);
        Assert.Throws<ArgumentException>(() => MagnitudePruning.Prune(weight, Sparsity.Pattern(2, 4)));
        Assert.Throws<ArgumentOutOfRangeException>(() => Sparsity.Part(1.1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Sparsity.Pattern(5, 4));
        Assert.Throws<ArgumentException>(() => WandaPruning.Prune(weight, ones(9), Sparsity.Part(0.5)));
        Assert.Throws<ArgumentException>(() =>
            SparseGpt.Prune(weight, eye(10), new SparseGptOptions { Sparsity = Sparsity.Pattern(2, 4), BlockSize = 6 })
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => LowRank.Factorize(weight, 5));
        Assert.Throws<ArgumentException>(() => LowRank.Factorize(weight, 2, eye(9)));
        // Everything, and nothing.
        TensorAssert.Zero(MagnitudePruning.Prune(weight, Sparsity.Part(1)).Weight);
        TensorAssert.Same(weight, MagnitudePruning.Prune(weight, Sparsity.Part(0)).Weight);
    }
}
