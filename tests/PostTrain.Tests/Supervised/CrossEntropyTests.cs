using PostTrain.Numerics;
using PostTrain.Supervised;
using PostTrain.Tests.Operators;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Supervised;

public sealed class CrossEntropyTests
{
    private static readonly CrossEntropyObjective Everything = new()
    {
        LabelSmoothing = 0.1,
        ZLoss = 0.01,
        Logits = new LogitTransform
        {
            SoftCap = 3,
            Scale = 1.5,
            Temperature = 0.8,
        },
    };

    // Probabilities 1/8, 2/8, 5/8 everywhere, Z = 8.
    private static Tensor Eighths(ScalarType type) =>
        tensor(new[] { 0, 0.6931471805599453, 1.6094379124341003 }).to_type(type).expand(1, 3, 3);

    private static SupervisedLoss Loss(Tensor logits, Tensor targets, Tensor mask, CrossEntropyObjective options, Tensor? weights = null) =>
        SupervisedLosses.CrossEntropy(logits, targets, mask, options, weights);

    [Theory]
    [InlineData(ScalarType.Float32, 1e-6)]
    [InlineData(ScalarType.Float64, 1e-14)]
    public void Terms_GiveTheHandWorkedNumbers(ScalarType type, double tolerance)
    {
        using var scope = NewDisposeScope();
        var (logits, targets, mask) = (
            Eighths(type),
            tensor(
                new long[,]
                {
                    { 2, 0, 1 },
                }
            ),
            Numbers.Mask(3, 2)
        );
        double of2 = Math.Log(1.6),
            of0 = Math.Log(8),
            even = Math.Log(8) - Math.Log(10) / 3,
            partition = Math.Log(8);
        var plain = Loss(logits, targets, mask, new CrossEntropyObjective());
        TensorAssert.Close([of2, of0, 0], plain.TokenLosses, tolerance);
        TensorAssert.Close((of2 + of0) / 2, plain.Loss, tolerance);
        TensorAssert.Close(0.5, plain.Accuracy, tolerance);
        Assert.Equal(type, plain.Loss.dtype);
        TensorAssert.Close(
            [0.75 * of2 + 0.25 * even, 0.75 * of0 + 0.25 * even, 0],
            Loss(logits, targets, mask, new CrossEntropyObjective { LabelSmoothing = 0.25 }).TokenLosses,
            tolerance
        );
        TensorAssert.Close(
            [of2 + 0.1 * partition * partition, of0 + 0.1 * partition * partition, 0],
            Loss(logits, targets, mask, new CrossEntropyObjective { ZLoss = 0.1 }).TokenLosses,
            tolerance
        );
        TensorAssert.Close([0.625 * of2, 0.125 * of0, 0], SupervisedLosses.Dft(logits, targets, mask).TokenLosses, tolerance);
        var weighted = Loss(
            logits,
            targets,
            mask,
            new CrossEntropyObjective(),
            tensor(
                new[,]
                {
                    { 3, 0.5, double.NaN },
                }
            )
        );
        TensorAssert.Close([3 * of2, 0.5 * of0, 0], weighted.TokenLosses, tolerance);
        TensorAssert.Close((3 * of2 + 0.5 * of0) / 2, weighted.Loss, tolerance);
    }

    [Fact]
    public void Dft_TakesTheProbabilityAsAConstant()
    {
        using var scope = NewDisposeScope();
        // p·(softmax − onehot) of the counted token: p = 5/8.
        TensorAssert.Close(
            [0.625 * 0.125, 0.625 * 0.25, 0.625 * -0.375, 0, 0, 0, 0, 0, 0],
            Numbers.Gradient(
                z =>
                    SupervisedLosses
                        .Dft(
                            z,
                            tensor(
                                new long[,]
                                {
                                    { 2, 0, 1 },
                                }
                            ),
                            Numbers.Mask(3, 1)
                        )
                        .Loss,
                Eighths(ScalarType.Float64)
            ),
            1e-14
        );
    }

    [Fact]
    public void Options_AtTheirLimits_GiveThePlainLoss()
    {
        using var scope = NewDisposeScope();
        var (logits, targets, mask) = (Numbers.Uniform(1, 2, 2, 3, 5), Numbers.Ids(2, 5, 2, 3), Numbers.Mask(3, 3, 1));
        var plain = SupervisedLosses.NegativeLogLikelihood(logits, targets, mask);
        var composed = Loss(logits, targets, mask, new CrossEntropyObjective());
        TensorAssert.Same(plain.Loss, composed.Loss);
        TensorAssert.Same(plain.TokenLosses, composed.TokenLosses);
        TensorAssert.Same(plain.Accuracy, composed.Accuracy);
        TensorAssert.Same(plain.Loss, Loss(logits, targets, mask, new CrossEntropyObjective(), ones(2, 3)).Loss);
        // A cap far above the logits is none: c·tanh(z/c) = z − z³/3c² ...
        TensorAssert.Close(
            plain.Loss,
            Loss(logits, targets, mask, new CrossEntropyObjective { Logits = new LogitTransform { SoftCap = 1e6 } }).Loss,
            1e-11
        );
        // Smoothing of 1 forgets the targets.
        var forgetful = new CrossEntropyObjective { LabelSmoothing = 1 };
        TensorAssert.Close(
            Loss(logits, targets, mask, forgetful).Loss,
            Loss(logits, (targets + 1).remainder(5), mask, forgetful).Loss,
            1e-15
        );
    }

    [Fact]
    public void Gradients_AgreeWithDifferences()
    {
        using var scope = NewDisposeScope();
        var (targets, mask, weights) = (Numbers.Ids(3, 5, 2, 3), Numbers.Mask(3, 3, 1), Numbers.Uniform(4, 1, 2, 3));
        GradientCheck.Run(x => Loss(x[0], targets, mask, Everything, weights).Loss, Numbers.Uniform(5, 2, 2, 3, 5));
        GradientCheck.Run(
            x => SupervisedLosses.ChunkedCrossEntropy(x[0], x[1], targets, mask, Everything, x[2], weights, chunkSize: 3).Loss,
            Numbers.Uniform(6, 1, 2, 3, 4),
            Numbers.Uniform(7, 1, 5, 4),
            Numbers.Uniform(8, 1, 5)
        );
    }

    [Fact]
    public void Chunked_EqualsUnchunked_AtEveryChunkSize()
    {
        using var scope = NewDisposeScope();
        var (hidden, weight, bias) = (Numbers.Uniform(9, 1, 3, 5, 4), Numbers.Uniform(10, 1, 7, 4), Numbers.Uniform(11, 1, 7));
        var (targets, mask, weights) = (Numbers.Ids(12, 7, 3, 5), Numbers.Mask(5, 5, 0, 3), Numbers.Uniform(13, 1, 3, 5));
        foreach (
            var options in new[]
            {
                new CrossEntropyObjective(),
                Everything,
                new CrossEntropyObjective { Weighting = TokenWeighting.Probability },
            }
        )
        foreach (var aggregation in new[] { LossAggregation.TokenMean, LossAggregation.SequenceMean, LossAggregation.TokenSum })
        {
            SupervisedLoss Whole(Tensor h, Tensor w, Tensor b) =>
                SupervisedLosses.CrossEntropy(h.matmul(w.t()) + b, targets, mask, options, weights, aggregation);
            var expected = Whole(hidden, weight, bias);
            var gradients = Gradients((h, w, b) => Whole(h, w, b).Loss, hidden, weight, bias);
            foreach (int size in new[] { 1, 3, 4, 8, 100 })
            {
                SupervisedLoss Chunked(Tensor h, Tensor w, Tensor b) =>
                    SupervisedLosses.ChunkedCrossEntropy(h, w, targets, mask, options, b, weights, aggregation, chunkSize: size);
                var actual = Chunked(hidden, weight, bias);
                TensorAssert.Close(expected.Loss, actual.Loss, 1e-12);
                TensorAssert.Close(expected.TokenLosses, actual.TokenLosses, 1e-12);
                TensorAssert.Close(expected.Accuracy, actual.Accuracy, 0);
                var found = Gradients((h, w, b) => Chunked(h, w, b).Loss, hidden, weight, bias);
                for (int i = 0; i < 3; i++)
                    TensorAssert.Close(gradients[i], found[i], 1e-12, $"gradient {i} with chunks of {size}");
            }
        }
    }

    [Fact]
    public void PlainChunkedLoss_HasTheGradientsOfLossAndTokenLosses()
    {
        using var scope = NewDisposeScope();
        var (hidden, weight) = (Numbers.Uniform(9, 1, 3, 5, 4), Numbers.Uniform(10, 1, 7, 4));
        var (targets, mask, given) = (Numbers.Ids(12, 7, 3, 5), Numbers.Mask(5, 5, 0, 3), Numbers.Uniform(13, 1, 3, 5));
        foreach (var weights in new[] { null, given })
        foreach (var aggregation in new[] { LossAggregation.TokenMean, LossAggregation.SequenceMean })
        foreach (double? denominator in new double?[] { null, 5 })
        {
            var options = new CrossEntropyObjective();
            SupervisedLoss Whole(Tensor[] x) =>
                SupervisedLosses.CrossEntropy(x[0].matmul(x[1].t()), targets, mask, options, weights, aggregation, denominator);
            SupervisedLoss Chunked(Tensor[] x) =>
                SupervisedLosses.ChunkedCrossEntropy(x[0], x[1], targets, mask, options, null, weights, aggregation, denominator, 3);
            OperatorCheck.Agree(x => Chunked(x).Loss, x => Whole(x).Loss, ScalarType.Float64, hidden, weight);
            OperatorCheck.Agree(
                x => Chunked(x).TokenLosses.square().sum(),
                x => Whole(x).TokenLosses.square().sum(),
                ScalarType.Float64,
                hidden,
                weight
            );
            OperatorCheck.AgreeTwice(x => Chunked(x).Loss, x => Whole(x).Loss, hidden, weight);
        }
        Ownership.Check(
            () =>
            {
                var loss = SupervisedLosses.ChunkedCrossEntropy(hidden, weight, targets, mask, weights: given, chunkSize: 2);
                return [loss.Loss, loss.TokenLosses, loss.Accuracy];
            },
            hidden,
            weight,
            targets,
            mask,
            given
        );
    }

    private static Tensor[] Gradients(Func<Tensor, Tensor, Tensor, Tensor> function, params Tensor[] at)
    {
        var leaves = Array.ConvertAll(at, tensor => tensor.detach().clone().requires_grad_(true));
        function(leaves[0], leaves[1], leaves[2]).backward();
        return Array.ConvertAll(leaves, leaf => leaf.grad!);
    }

    [Fact]
    public void WhatDoesNotCount_ChangesNeitherValueNorGradient()
    {
        using var scope = NewDisposeScope();
        var (logits, targets, mask) = (Numbers.Uniform(14, 2, 3, 4, 5), Numbers.Ids(15, 5, 3, 4), Numbers.Mask(4, 4, 2, 0));
        var weights = Numbers.Uniform(16, 1, 3, 4);
        var outside = mask == 0;
        var (poisoned, ignored, wrong) = (
            logits.masked_fill(outside.unsqueeze(-1), double.NaN),
            targets.masked_fill(outside, -100),
            weights.masked_fill(outside, double.NaN)
        );
        TensorAssert.Same(Loss(logits, targets, mask, Everything, weights).Loss, Loss(poisoned, ignored, mask, Everything, wrong).Loss);
        TensorAssert.Same(
            Numbers.Gradient(z => Loss(z, targets, mask, Everything, weights).Loss, logits),
            Numbers.Gradient(z => Loss(z, ignored, mask, Everything, wrong).Loss, poisoned)
        );
        var none = zeros(3, 4);
        TensorAssert.Close(0, Loss(poisoned, ignored, none, Everything).Loss, 0);
        TensorAssert.Zero(Numbers.Gradient(z => Loss(z, ignored, none, Everything).Loss, poisoned));
        Assert.True(double.IsNaN(Loss(poisoned, targets, ones(3, 4), Everything).Loss.ToDouble()));
    }

    [Fact]
    public void ExtremeLogits_GiveFiniteLossAndGradient()
    {
        using var scope = NewDisposeScope();
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
        foreach (
            var options in new[]
            {
                Everything,
                new CrossEntropyObjective { Weighting = TokenWeighting.Probability },
                new CrossEntropyObjective { LabelSmoothing = 0.5, ZLoss = 1e-4 },
            }
        )
        {
            var logits = tensor(
                    new double[,,]
                    {
                        {
                            { 1e4, -1e4 },
                            { -1e4, 1e4 },
                        },
                    }
                )
                .to_type(type);
            var targets = tensor(
                new long[,]
                {
                    { 1, 1 },
                }
            );
            TensorAssert.Finite(Loss(logits, targets, ones(1, 2), options).Loss);
            TensorAssert.Finite(Numbers.Gradient(z => Loss(z, targets, ones(1, 2), options).Loss, logits));
        }
    }

    [Fact]
    public void OnlyTheResultsStayAlive()
    {
        using var logits = Numbers.Uniform(17, 1, 2, 3, 4).requires_grad_(true);
        using var targets = Numbers.Ids(18, 4, 2, 3);
        using var mask = Numbers.Mask(3, 3, 1);
        using var weights = Numbers.Uniform(19, 1, 2, 3);
        using var weight = Numbers.Uniform(20, 1, 4, 4).requires_grad_(true);
        Tensor[] Results(SupervisedLoss loss) => [loss.Loss, loss.TokenLosses, loss.Accuracy];
        Ownership.Check(() => Results(Loss(logits, targets, mask, Everything, weights)), logits, targets, mask, weights);
        Ownership.Check(() => Results(SupervisedLosses.Dft(logits, targets, mask)), logits, targets, mask);
        Ownership.Check(
            () => Results(SupervisedLosses.ChunkedCrossEntropy(logits, weight, targets, mask, Everything, null, weights, chunkSize: 2)),
            logits,
            weight,
            targets,
            mask,
            weights
        );
    }

    [Fact]
    public void Errors_NameWhatWasGivenAndExpected()
    {
        using var scope = NewDisposeScope();
        var (logits, ids, mask, options) = (zeros(2, 3, 5), zeros(2, 3, dtype: ScalarType.Int64), ones(2, 3), new CrossEntropyObjective());
        Assert.Equal("logits", Assert.Throws<ArgumentException>(() => Loss(zeros(3, 5), ids, mask, options)).ParamName);
        Assert.Equal(
            "logits",
            Assert.Throws<ArgumentException>(() => Loss(logits.to_type(ScalarType.Int64), ids, mask, options)).ParamName
        );
        Assert.Equal("targets", Assert.Throws<ArgumentException>(() => Loss(zeros(2, 4, 5), ids, mask, options)).ParamName);
        Assert.Equal("targets", Assert.Throws<ArgumentException>(() => Loss(logits, mask, mask, options)).ParamName);
        Assert.Equal("mask", Assert.Throws<ArgumentException>(() => Loss(logits, ids, ones(3, 2), options)).ParamName);
        Assert.Equal("weights", Assert.Throws<ArgumentException>(() => Loss(logits, ids, mask, options, ones(2, 4))).ParamName);
        Assert.Equal("weights", Assert.Throws<ArgumentException>(() => Loss(logits, ids, mask, options, ids)).ParamName);
        Assert.Equal(
            "hidden",
            Assert.Throws<ArgumentException>(() => SupervisedLosses.ChunkedCrossEntropy(zeros(3, 4), zeros(5, 4), ids, mask)).ParamName
        );
        foreach (double wrong in new[] { -0.1, 1.1, double.NaN })
            Assert.Equal(
                "LabelSmoothing",
                Assert
                    .Throws<ArgumentOutOfRangeException>(() =>
                        Loss(logits, ids, mask, new CrossEntropyObjective { LabelSmoothing = wrong })
                    )
                    .ParamName
            );
        Assert.Equal(
            "ZLoss",
            Assert.Throws<ArgumentOutOfRangeException>(() => Loss(logits, ids, mask, new CrossEntropyObjective { ZLoss = -1 })).ParamName
        );
        Assert.Equal(
            "Weighting",
            Assert
                .Throws<ArgumentOutOfRangeException>(() =>
                    Loss(logits, ids, mask, new CrossEntropyObjective { Weighting = (TokenWeighting)9 })
                )
                .ParamName
        );
        Assert.Equal(
            "SoftCap",
            Assert
                .Throws<ArgumentOutOfRangeException>(() =>
                    Loss(logits, ids, mask, new CrossEntropyObjective { Logits = new LogitTransform { SoftCap = 0 } })
                )
                .ParamName
        );
    }
}
