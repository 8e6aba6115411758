using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Tests.Kernels;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Operators;

[Collection("Sequential")]
public sealed class LogProbOperatorTests
{
    public static TheoryData<ScalarType, bool> Layouts => KernelFuzz.Layouts;

    [Fact]
    public void Result_OfThreeTokens_IsWorkedByHand()
    {
        using var scope = NewDisposeScope();
        // π = ½, ¼, ¼ and the gradient δ − π.
        var logits = tensor(new[] { Math.Log(2), 0, 0, Math.Log(2), 0, 0 }).view(2, 3).requires_grad_(true);
        var (found, hits) = LogProbOperator.Run(logits, tensor(new long[] { 1, 0 }), null, hits: true);
        TensorAssert.Close([-Math.Log(4), -Math.Log(2)], found, 1e-15);
        TensorAssert.Close([0, 1], hits!, 0);
        found.sum().backward();
        TensorAssert.Close([-0.5, 0.75, -0.25, 0.5, -0.25, -0.25], logits.grad!, 1e-15);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Operator_IsTheTensorOperators(ScalarType type, bool strided)
    {
        var seed = 0;
        foreach (var width in new[] { 1, 2, 7, 8, 9, 33, 300 })
        foreach (var (rows, columns) in new[] { (1L, 1L), (2, 3), (5, 17) })
        {
            using var scope = NewDisposeScope();
            seed++;
            var logits = KernelFuzz.Make(seed, type, strided, seed % 4 == 0 ? 30 : 3, 5, rows, columns, width);
            var targets = Numbers.Ids(seed, width, rows, columns);
            var mask = seed % 3 == 0 ? null : KernelFuzz.Holes(seed, type, strided, rows, columns);
            OperatorCheck.Agree(
                x => LogProbOperator.Run(x[0], targets, mask, hits: seed % 2 == 0).LogProbs,
                x => LogProbOperator.Reference(x[0], targets, mask),
                type,
                logits
            );
        }
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Entropies_AreThoseOfTheTensorOperators(ScalarType type, bool strided)
    {
        foreach (var width in new[] { 1, 3, 8, 33, 300 })
        {
            using var scope = NewDisposeScope();
            var logits = KernelFuzz.Make(width, type, strided, 8, 5, 2, 7, width);
            if (width > 1)
                logits = KernelFuzz.Lay(logits.masked_fill(arange(width) == 0, double.NegativeInfinity), strided);
            var found = TokenLogProbs.Entropy(logits);
            using var period = Fused.Reference();
            TensorAssert.Close(TokenLogProbs.Entropy(logits), found, OperatorCheck.Tolerance(type));
        }
        using var given = ones(2, 3, dtype: type);
        Ownership.Check(() => [TokenLogProbs.Entropy(given)], given);
    }

    [Fact]
    public void WhatTheMaskLeavesOut_IsNotRead()
    {
        using var scope = NewDisposeScope();
        var logits = tensor(new[] { 1.0, 2, double.NaN, double.NaN, 3, 1 }).view(3, 2).requires_grad_(true);
        var mask = tensor(new[] { true, false, true });
        var (found, hits) = LogProbOperator.Run(logits, tensor(new long[] { 0, -100, 0 }), mask, hits: true);
        found.sum().backward();
        TensorAssert.Close([-Math.Log(1 + Math.E), 0, -Math.Log(1 + Math.Exp(-2))], found, 1e-14);
        TensorAssert.Close([0, 0, 1], hits!, 0);
        TensorAssert.Zero(logits.grad![1]);
        TensorAssert.Finite(logits.grad!);
        Assert.Throws<ArgumentException>(() => LogProbOperator.Run(logits, tensor(new long[] { 0, 0, 2 }), mask, hits: false));
    }

    [Fact]
    public void Gradients_AreThoseOfDifferences_AndOfTheSecondOrder()
    {
        using var scope = NewDisposeScope();
        var (logits, targets) = (Numbers.Uniform(1, 2, 2, 3, 5), Numbers.Ids(2, 5, 2, 3));
        var mask = Numbers.Mask(3, 3, 1);
        GradientCheck.Run(x => LogProbOperator.Run(x[0], targets, mask, false).LogProbs.sin().sum(), logits);
        OperatorCheck.AgreeTwice(
            x => LogProbOperator.Run(x[0], targets, mask, false).LogProbs,
            x => LogProbOperator.Reference(x[0], targets, mask),
            logits
        );
    }

    [Fact]
    public void Bits_DoNotDependOnThreads_AndNothingStaysAlive()
    {
        using var scope = NewDisposeScope();
        var (logits, targets) = (Numbers.Uniform(1, 4, 300, 257).to_type(ScalarType.Float32), Numbers.Ids(2, 257, 300));
        Tensor Run(Tensor[] x) => LogProbOperator.Run(x[0], targets, null, false).LogProbs;
        OperatorCheck.IsTheSameForTwoThreads(Run, logits);
        OperatorCheck.LeavesNothing(Run, logits);
        var leaf = logits.detach().clone().requires_grad_(true);
        Ownership.Check(
            () =>
            {
                var (found, hits) = LogProbOperator.Run(leaf, targets, null, true);
                return [found, hits!];
            },
            leaf
        );
        var before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        for (var round = 0; round < 3; round++)
        {
            using var inner = NewDisposeScope();
            LogProbOperator.Run(leaf, targets, null, true).LogProbs.sum().backward();
        }
        Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
    }
}
