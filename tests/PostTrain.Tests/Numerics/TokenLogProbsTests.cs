using PostTrain.Numerics;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Numerics;

public sealed class TokenLogProbsTests
{
    [Theory]
    [InlineData(ScalarType.Float32, 1e-6)]
    [InlineData(ScalarType.Float64, 1e-15)]
    public void Gather_GivesTheHandWorkedNumbers(ScalarType type, double tolerance)
    {
        using var scope = NewDisposeScope();
        // Logits log 1, log 2, log 5 have probabilities 1/8, 2/8, 5/8.
        var logits = tensor(new[] { 0, 0.6931471805599453, 1.6094379124341003 }).to_type(type).expand(1, 3, 3);
        var logProbs = TokenLogProbs.Gather(
            logits,
            tensor(
                new long[,]
                {
                    { 2, 0, 1 },
                }
            )
        );
        Assert.Equal(type, logProbs.dtype);
        Assert.Equal([1, 3], logProbs.shape);
        TensorAssert.Close([-0.4700036292457356, -2.0794415416798357, -1.3862943611198906], logProbs, tolerance);
        // H = (1/8) log 8 + (1/4) log 4 + (5/8) log 1.6
        TensorAssert.Close([0.9002560512685369, 0.9002560512685369, 0.9002560512685369], TokenLogProbs.Entropy(logits), tolerance);
    }

    [Fact]
    public void Entropy_LiesBetweenZeroAndLogV()
    {
        using var scope = NewDisposeScope();
        TensorAssert.Close(1.3862943611198906, TokenLogProbs.Entropy(full([4], 7, dtype: ScalarType.Float64)), 1e-15);
        TensorAssert.Close(0, TokenLogProbs.Entropy(tensor(new double[] { 1e4, 0, -1e4 })), 0);
        TensorAssert.Close(0, TokenLogProbs.Entropy(tensor(new[] { 3.0 })), 0);
    }

    [Fact]
    public void Entropy_TreatsMinusInfinityAsProbabilityZero()
    {
        using var scope = NewDisposeScope();
        var logits = tensor(new[] { 0.3, double.NegativeInfinity, -1.1 });
        var without = tensor(new[] { 0.3, -1.1 });
        TensorAssert.Close(TokenLogProbs.Entropy(without), TokenLogProbs.Entropy(logits), 1e-15);
        var gradient = Numbers.Values(Numbers.Gradient(TokenLogProbs.Entropy, logits));
        TensorAssert.Close([gradient[0], gradient[2]], Numbers.Gradient(TokenLogProbs.Entropy, without), 1e-15);
        Assert.Equal(0, gradient[1]);
    }

    [Fact]
    public void Gradients_AgreeWithDifferences()
    {
        using var scope = NewDisposeScope();
        var logits = Numbers.Uniform(1, 2, 2, 3, 5);
        var targets = Numbers.Ids(2, 5, 2, 3);
        var mask = Numbers.Mask(3, 3, 1);
        var weight = Numbers.Uniform(3, 1, 2, 3);
        GradientCheck.Run(inputs => (TokenLogProbs.Gather(inputs[0], targets) * weight).sum(), logits);
        GradientCheck.Run(inputs => (TokenLogProbs.Gather(inputs[0], targets, mask) * weight).sum(), logits);
        GradientCheck.Run(inputs => (TokenLogProbs.Entropy(inputs[0]) * weight).sum(), logits);
    }

    [Fact]
    public void ExtremeLogits_GiveFiniteNumbersAndGradients()
    {
        using var scope = NewDisposeScope();
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
        {
            var logits = tensor(
                    new double[,]
                    {
                        { 1e4, -1e4, 0 },
                        { -1e4, 1e4, 1e4 },
                    }
                )
                .to_type(type);
            var targets = tensor(new long[] { 1, 2 });
            TensorAssert.Close([-2e4, -0.6931471805599453], TokenLogProbs.Gather(logits, targets), 1e-7);
            TensorAssert.Close([-1, 1, 0, 0, -0.5, 0.5], Numbers.Gradient(x => TokenLogProbs.Gather(x, targets).sum(), logits), 0);
            TensorAssert.Finite(Numbers.Gradient(x => TokenLogProbs.Entropy(x).sum(), logits));
        }
    }

    [Fact]
    public void Gather_WithMask_DoesNotReadWhatDoesNotCount()
    {
        using var scope = NewDisposeScope();
        var logits = Numbers.Uniform(4, 2, 2, 4, 5);
        var targets = Numbers.Ids(5, 5, 2, 4);
        var mask = Numbers.Mask(4, 3, 1);
        var outside = mask == 0;
        var poisoned = logits.masked_fill(outside.unsqueeze(-1), double.NaN);
        var ignored = targets.masked_fill(outside, -100);
        TensorAssert.Same(TokenLogProbs.Gather(logits, targets) * mask, TokenLogProbs.Gather(poisoned, ignored, mask));
        var gradient = Numbers.Gradient(x => TokenLogProbs.Gather(x, ignored, mask).sum(), poisoned);
        TensorAssert.Same(Numbers.Gradient(x => (TokenLogProbs.Gather(x, targets) * mask).sum(), logits), gradient);
        TensorAssert.Zero(TokenLogProbs.Gather(poisoned, ignored, zeros(2, 4)));
        TensorAssert.Zero(Numbers.Gradient(x => TokenLogProbs.Gather(x, ignored, zeros(2, 4)).sum(), poisoned));
        TensorAssert.Same(TokenLogProbs.Gather(logits, targets), TokenLogProbs.Gather(logits, targets, ones(2, 4)));
    }

    [Fact]
    public void Gather_ReachesEveryRowOfAnyLeadingShape()
    {
        using var scope = NewDisposeScope();
        var logits = Numbers.Uniform(6, 2, 2, 3, 4, 5);
        var targets = Numbers.Ids(7, 5, 2, 3, 4);
        var all = TokenLogProbs.Gather(logits, targets);
        Assert.Equal([2, 3, 4], all.shape);
        TensorAssert.Same(TokenLogProbs.Gather(logits[1, 2, 3].unsqueeze(0), targets[1, 2, 3].unsqueeze(0)), all[1, 2, 3].unsqueeze(0));
        // exp of the log-probs of all tokens of one position adds up to 1.
        var everyToken = TokenLogProbs.Gather(logits[0, 0, 0].expand(5, 5), arange(5));
        TensorAssert.Close(1, everyToken.exp().sum(), 1e-15);
    }

    [Fact]
    public void OnlyTheResultStaysAlive()
    {
        using var logits = Numbers.Uniform(8, 2, 2, 3, 5).requires_grad_(true);
        using var targets = Numbers.Ids(9, 5, 2, 3);
        using var some = Numbers.Mask(3, 3, 1);
        using var all = ones(2, 3);
        Ownership.Check(() => [TokenLogProbs.Gather(logits, targets)], logits, targets);
        Ownership.Check(() => [TokenLogProbs.Gather(logits, targets, some)], logits, targets, some);
        Ownership.Check(() => [TokenLogProbs.Gather(logits, targets, all)], logits, targets, all);
        Ownership.Check(() => [TokenLogProbs.Entropy(logits)], logits);
    }

    [Fact]
    public void Errors_NameWhatWasGivenAndExpected()
    {
        using var scope = NewDisposeScope();
        var ids = zeros(2, 3, dtype: ScalarType.Int64);
        var shape = Assert.Throws<ArgumentException>(() => TokenLogProbs.Gather(zeros(2, 4, 5), ids));
        Assert.Equal("targets", shape.ParamName);
        Assert.Contains("[2, 3]", shape.Message, StringComparison.Ordinal);
        Assert.Contains("[2, 4, 5]", shape.Message, StringComparison.Ordinal);
        var type = Assert.Throws<ArgumentException>(() => TokenLogProbs.Gather(zeros(2, 3, 5), zeros(2, 3)));
        Assert.Contains("targets has type Float32, expected Int64", type.Message, StringComparison.Ordinal);
        Assert.Equal(
            "logits",
            Assert.Throws<ArgumentException>(() => TokenLogProbs.Gather(zeros(2, 3, 5, dtype: ScalarType.Int64), ids)).ParamName
        );
        Assert.Equal("logits", Assert.Throws<ArgumentException>(() => TokenLogProbs.Entropy(ids)).ParamName);
        Assert.Equal("mask", Assert.Throws<ArgumentException>(() => TokenLogProbs.Gather(zeros(2, 3, 5), ids, zeros(3, 2))).ParamName);
    }
}
