using PostTrain.Numerics;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Numerics;

public sealed class ChunkedLogProbsTests
{
    private static readonly LogitTransform Shaped = new()
    {
        Scale = 0.5,
        SoftCap = 2,
        Temperature = 1.3,
    };

    // What a loss may use of a position, weighted so that no two outputs or positions can stand for each other.
    private static Tensor Sum(ChunkedTokens tokens) =>
        new[] { tokens.LogProbs, tokens.MeanLogProbs, tokens.LogPartitions, tokens.Entropies }
            .Select((values, i) => (values * Numbers.Uniform(40 + i, 1, values.shape)).sum())
            .Aggregate((a, b) => a + b);

    private static ChunkedTokens Unchunked(Tensor hidden, Tensor weight, Tensor targets, Tensor? bias, LogitTransform transform)
    {
        var logits = hidden.matmul(weight.t());
        logits = transform.Apply(bias is null ? logits : logits + bias);
        return new ChunkedTokens(
            TokenLogProbs.Gather(logits, targets),
            logits.log_softmax(-1).sum(-1) / logits.shape[^1],
            logits.logsumexp(-1),
            TokenLogProbs.Entropy(logits),
            logits.argmax(-1).eq(targets).to_type(logits.dtype)
        );
    }

    private static Tensor[] Outputs(ChunkedTokens tokens) =>
        [tokens.LogProbs, tokens.MeanLogProbs, tokens.LogPartitions, tokens.Entropies, tokens.Correct];

    [Fact]
    public void Gather_GivesTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        // h = 1 and W = log (1, 2, 5): probabilities 1/8, 2/8, 5/8, Z = 8; the targets are 2 and 0.
        var weight = tensor(
            new[,]
            {
                { 0 },
                { 0.6931471805599453 },
                { 1.6094379124341003 },
            }
        );
        var tokens = ChunkedLogProbs.Gather(
            ones(1, 3, 1, dtype: ScalarType.Float64),
            weight,
            tensor(
                new long[,]
                {
                    { 2, 0, -100 },
                }
            ),
            Numbers.Mask(3, 2),
            chunkSize: 1
        );
        TensorAssert.Close([-0.4700036292457356, -2.0794415416798357, 0], tokens.LogProbs, 1e-15);
        // (log 1/8 + log 2/8 + log 5/8)/3 = (log 10)/3 − log 8
        TensorAssert.Close([-1.3119131773484873, -1.3119131773484873, 0], tokens.MeanLogProbs, 1e-15);
        TensorAssert.Close([2.0794415416798357, 2.0794415416798357, 0], tokens.LogPartitions, 1e-15);
        TensorAssert.Close([0.9002560512685369, 0.9002560512685369, 0], tokens.Entropies, 1e-15);
        TensorAssert.Close([1, 0, 0], tokens.Correct, 0);
    }

    [Fact]
    public void ChunkSize_ChangesNothing()
    {
        using var scope = NewDisposeScope();
        var (hidden, weight, bias) = (Numbers.Uniform(1, 1, 3, 5, 4), Numbers.Uniform(2, 1, 7, 4), Numbers.Uniform(3, 1, 7));
        var targets = Numbers.Ids(4, 7, 3, 5);
        var all = ones(3, 5);
        foreach (var transform in new[] { LogitTransform.None, Shaped })
        foreach (var withBias in new[] { null, bias })
        {
            var expected = Outputs(Unchunked(hidden, weight, targets, withBias, transform));
            var ofHidden = Numbers.Gradient(x => Sum(Unchunked(x, weight, targets, withBias, transform)), hidden);
            var ofWeight = Numbers.Gradient(x => Sum(Unchunked(hidden, x, targets, withBias, transform)), weight);
            // One at a time, sizes that do not divide 15, one that does, one chunk, and more than there are.
            foreach (int size in new[] { 1, 2, 4, 5, 15, 1000 })
            {
                var actual = Outputs(ChunkedLogProbs.Gather(hidden, weight, targets, all, withBias, transform, size));
                for (int i = 0; i < expected.Length; i++)
                    TensorAssert.Close(expected[i], actual[i], 1e-12, $"output {i}");
                TensorAssert.Close(
                    ofHidden,
                    Numbers.Gradient(x => Sum(ChunkedLogProbs.Gather(x, weight, targets, all, withBias, transform, size)), hidden),
                    1e-12
                );
                TensorAssert.Close(
                    ofWeight,
                    Numbers.Gradient(x => Sum(ChunkedLogProbs.Gather(hidden, x, targets, all, withBias, transform, size)), weight),
                    1e-12
                );
            }
        }
    }

    [Fact]
    public void Gradients_AgreeWithDifferences()
    {
        using var scope = NewDisposeScope();
        var targets = Numbers.Ids(5, 5, 2, 3);
        var mask = Numbers.Mask(3, 3, 1);
        GradientCheck.Run(
            x => Sum(ChunkedLogProbs.Gather(x[0], x[1], targets, mask, x[2], Shaped, 3)),
            Numbers.Uniform(6, 1, 2, 3, 4),
            Numbers.Uniform(7, 1, 5, 4),
            Numbers.Uniform(8, 1, 5)
        );
    }

    [Fact]
    public void SecondGradient_AgreesWithDifferences()
    {
        using var scope = NewDisposeScope();
        var targets = Numbers.Ids(9, 4, 1, 3);
        // The sum of the squares of the first gradient, itself differentiated.
        Tensor SquaredGradient(Tensor[] x)
        {
            var (hidden, weight) = (
                x[0].requires_grad ? x[0] : x[0].requires_grad_(true),
                x[1].requires_grad ? x[1] : x[1].requires_grad_(true)
            );
            var value = Sum(ChunkedLogProbs.Gather(hidden, weight, targets, ones(1, 3), null, Shaped, 2));
            return Numbers.GradientGraph(value, hidden, weight).Select(gradient => gradient.square().sum()).Aggregate((a, b) => a + b);
        }
        GradientCheck.Run(SquaredGradient, Numbers.Uniform(10, 1, 1, 3, 2), Numbers.Uniform(11, 1, 4, 2));
    }

    [Fact]
    public void WhatDoesNotCount_IsNotRead()
    {
        using var scope = NewDisposeScope();
        var (hidden, weight, targets) = (Numbers.Uniform(12, 1, 2, 4, 3), Numbers.Uniform(13, 1, 5, 3), Numbers.Ids(14, 5, 2, 4));
        var mask = Numbers.Mask(4, 3, 1);
        var poisoned = hidden.masked_fill((mask == 0).unsqueeze(-1), double.NaN);
        var ignored = targets.masked_fill(mask == 0, -100);
        Tensor Loss(Tensor h, Tensor w, Tensor t) => Sum(ChunkedLogProbs.Gather(h, w, t, mask, chunkSize: 2));
        TensorAssert.Same(Loss(hidden, weight, targets), Loss(poisoned, weight, ignored));
        TensorAssert.Same(
            Numbers.Gradient(w => Loss(hidden, w, targets), weight),
            Numbers.Gradient(w => Loss(poisoned, w, ignored), weight)
        );
        var gradient = Numbers.Gradient(h => Loss(h, weight, ignored), poisoned);
        TensorAssert.Finite(gradient);
        TensorAssert.Zero(gradient.masked_select((mask == 0).unsqueeze(-1)));
        var nothing = zeros(2, 4);
        foreach (var output in Outputs(ChunkedLogProbs.Gather(poisoned, weight, ignored, nothing)))
            TensorAssert.Zero(output);
        TensorAssert.Zero(Numbers.Gradient(w => Sum(ChunkedLogProbs.Gather(poisoned, w, ignored, nothing)), weight));
        TensorAssert.Zero(Numbers.Gradient(h => Sum(ChunkedLogProbs.Gather(h, weight, ignored, nothing)), poisoned));
    }

    [Fact]
    public void ExtremeLogits_GiveFiniteNumbersAndGradients()
    {
        using var scope = NewDisposeScope();
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
        {
            var (hidden, targets) = (
                tensor(
                        new[,]
                        {
                            { 1e4, -1e4, 0 },
                        }
                    )
                    .to_type(type),
                tensor(new long[] { 1 })
            );
            var weight = eye(3, dtype: type);
            var tokens = ChunkedLogProbs.Gather(hidden, weight, targets, ones(1));
            TensorAssert.Close([-2e4], tokens.LogProbs, 1e-7);
            TensorAssert.Close([0], tokens.Entropies, 0);
            TensorAssert.Close(
                [-1, 1, 0],
                Numbers.Gradient(h => ChunkedLogProbs.Gather(h, weight, targets, ones(1)).LogProbs.sum(), hidden),
                0
            );
            TensorAssert.Finite(Numbers.Gradient(h => Sum(ChunkedLogProbs.Gather(h, weight, targets, ones(1))), hidden));
        }
    }

    [Fact]
    public void BFloat16_IsSummedInFloat32()
    {
        using var scope = NewDisposeScope();
        var (hidden, weight) = (
            Numbers.Uniform(15, 1, 4, 8).to_type(ScalarType.BFloat16),
            Numbers.Uniform(16, 1, 500, 8).to_type(ScalarType.BFloat16)
        );
        var targets = Numbers.Ids(17, 500, 4);
        var tokens = ChunkedLogProbs.Gather(hidden, weight, targets, ones(4), chunkSize: 3);
        Assert.Equal(ScalarType.BFloat16, tokens.LogProbs.dtype);
        var exact = Unchunked(hidden.to_type(ScalarType.Float64), weight.to_type(ScalarType.Float64), targets, null, LogitTransform.None);
        TensorAssert.Close(exact.LogProbs, tokens.LogProbs, 1e-2);
        Assert.Equal(
            ScalarType.BFloat16,
            Numbers.Gradient(h => ChunkedLogProbs.Gather(h, weight, targets, ones(4)).LogProbs.sum(), hidden).dtype
        );
    }

    [Fact]
    public void OnlyTheResultsStayAlive()
    {
        using var hidden = Numbers.Uniform(18, 1, 2, 3, 4).requires_grad_(true);
        using var weight = Numbers.Uniform(19, 1, 5, 4).requires_grad_(true);
        using var bias = Numbers.Uniform(20, 1, 5);
        using var targets = Numbers.Ids(21, 5, 2, 3);
        using var mask = Numbers.Mask(3, 3, 1);
        Ownership.Check(
            () => Outputs(ChunkedLogProbs.Gather(hidden, weight, targets, mask, bias, Shaped, 2)),
            hidden,
            weight,
            targets,
            mask,
            bias
        );
        Ownership.Check(() => [Shaped.Apply(hidden)], hidden);
        // The backward pass leaves nothing alive. TorchSharp 0.107 counts the gradient of the hits, which have none, as a live tensor
        // without content.
        const int withoutContent = 1;
        long before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        for (int round = 1; round <= 3; round++)
        {
            using (NewDisposeScope())
                Sum(ChunkedLogProbs.Gather(hidden, weight, targets, mask, bias, Shaped, 2)).backward();
            Assert.Equal(before + round * withoutContent, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
        }
    }

    [Fact]
    public void Errors_NameWhatWasGivenAndExpected()
    {
        using var scope = NewDisposeScope();
        var (hidden, weight, ids, mask) = (zeros(2, 3, 4), zeros(7, 4), zeros(2, 3, dtype: ScalarType.Int64), ones(2, 3));
        Assert.Equal("hidden", Assert.Throws<ArgumentException>(() => ChunkedLogProbs.Gather(ids, weight, ids, mask)).ParamName);
        Assert.Equal(
            "targets",
            Assert.Throws<ArgumentException>(() => ChunkedLogProbs.Gather(zeros(2, 4, 4), weight, ids, mask)).ParamName
        );
        Assert.Equal("targets", Assert.Throws<ArgumentException>(() => ChunkedLogProbs.Gather(hidden, weight, mask, mask)).ParamName);
        Assert.Equal("mask", Assert.Throws<ArgumentException>(() => ChunkedLogProbs.Gather(hidden, weight, ids, ones(3, 2))).ParamName);
        Assert.Contains(
            "[7, 5], expected [V, 4]",
            Assert.Throws<ArgumentException>(() => ChunkedLogProbs.Gather(hidden, zeros(7, 5), ids, mask)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "Float64, expected Float32",
            Assert
                .Throws<ArgumentException>(() => ChunkedLogProbs.Gather(hidden, zeros(7, 4, dtype: ScalarType.Float64), ids, mask))
                .Message,
            StringComparison.Ordinal
        );
        Assert.Equal("bias", Assert.Throws<ArgumentException>(() => ChunkedLogProbs.Gather(hidden, weight, ids, mask, zeros(6))).ParamName);
        Assert.Equal(
            "bias",
            Assert
                .Throws<ArgumentException>(() => ChunkedLogProbs.Gather(hidden, weight, ids, mask, zeros(7, dtype: ScalarType.Float64)))
                .ParamName
        );
        Assert.Contains(
            "targets holds 7 at a counted position, expected 0 to 6",
            Assert.Throws<ArgumentException>(() => ChunkedLogProbs.Gather(hidden, weight, ids + 7, mask)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "holds -1 ",
            Assert.Throws<ArgumentException>(() => ChunkedLogProbs.Gather(hidden, weight, ids - 1, mask)).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(
            "chunkSize",
            Assert.Throws<ArgumentOutOfRangeException>(() => ChunkedLogProbs.Gather(hidden, weight, ids, mask, chunkSize: 0)).ParamName
        );
        Assert.Equal("Scale", Assert.Throws<ArgumentOutOfRangeException>(() => new LogitTransform { Scale = 0 }.Apply(hidden)).ParamName);
        Assert.Equal(
            "SoftCap",
            Assert.Throws<ArgumentOutOfRangeException>(() => new LogitTransform { SoftCap = -1 }.Apply(hidden)).ParamName
        );
        Assert.Equal(
            "Temperature",
            Assert.Throws<ArgumentOutOfRangeException>(() => new LogitTransform { Temperature = double.NaN }.Apply(hidden)).ParamName
        );
        Assert.Equal("logits", Assert.Throws<ArgumentException>(() => LogitTransform.None.Apply(ids)).ParamName);
    }

    [Fact]
    public void LogitTransform_GivesTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        var logits = tensor(new[] { 0, 2, -1e4 });
        TensorAssert.Same(logits, LogitTransform.None.Apply(logits));
        // 0.5·2/4 = 0.25; 3·tanh(0.5·2/3)/4 = 0.75·tanh(1/3).
        TensorAssert.Close([0, 0.25, -1250], new LogitTransform { Scale = 0.5, Temperature = 4 }.Apply(logits), 1e-15);
        TensorAssert.Close(
            [0, 0.24113455314872576, -0.75],
            new LogitTransform
            {
                Scale = 0.5,
                Temperature = 4,
                SoftCap = 3,
            }.Apply(logits),
            1e-14
        );
    }
}
