using PostTrain.Distillation;
using PostTrain.Numerics;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Distillation;

public sealed class DistillationLossesTests
{
    private static readonly DistillationObjective Jsd = new() { Divergence = Divergence.GeneralizedJsd(0.4), Temperature = 2 };

    private static readonly DistillationObjective Top = Jsd with { Support = DistillationSupport.TopK(2) };

    /// <summary>τ·(q − p) for each position, whatever the temperature.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void ForwardKl_HasTheGradientOfHinton(double temperature)
    {
        using var scope = NewDisposeScope();
        var (student, teacher, mask) = (Numbers.Uniform(1, 2, 2, 3, 5), Numbers.Uniform(2, 2, 2, 3, 5), Numbers.Mask(3, 3, 1));
        var gradient = Numbers.Gradient(
            x => DistillationLosses.Distill(x, teacher, mask, new DistillationObjective { Temperature = temperature }).Loss,
            student
        );
        var expected = ((student / temperature).softmax(-1) - (teacher / temperature).softmax(-1)) * temperature * mask.unsqueeze(-1) / 4;
        TensorAssert.Close(expected, gradient, 1e-15);
    }

    [Fact]
    public void Distill_GivesTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        // p = (½, ½); q = (¼, ¾) and (½, ½).
        var student = tensor(
            new[,,]
            {
                {
                    { 0, Math.Log(3) },
                    { 0, 0 },
                },
            }
        );
        var teacher = zeros(1, 2, 2, dtype: ScalarType.Float64);
        var loss = DistillationLosses.Distill(student, teacher, ones(1, 2));
        double forward = 0.5 * Math.Log(4.0 / 3);
        TensorAssert.Close([forward, 0], loss.TokenLosses, 1e-15);
        TensorAssert.Close(forward / 2, loss.Loss, 1e-15);
        TensorAssert.Close(0.5, loss.Agreement, 0);
        // Twice the logits at temperature 2 are the same distributions; τ² = 4.
        TensorAssert.Close(
            2 * forward,
            DistillationLosses.Distill(student * 2, teacher, ones(1, 2), new DistillationObjective { Temperature = 2 }).Loss,
            1e-15
        );
        TensorAssert.Close(
            forward / 2,
            DistillationLosses
                .Distill(student * 2, teacher, ones(1, 2), new DistillationObjective { Temperature = 2, ScaleByTemperatureSquared = false })
                .Loss,
            1e-15
        );
        // ¼ of the cross-entropy with label 0: log 4 and log 2.
        var mixed = DistillationLosses.WithLabels(student, teacher, zeros(1, 2, dtype: ScalarType.Int64), ones(1, 2), 0.25);
        TensorAssert.Close([0.25 * Math.Log(4) + 0.75 * forward, 0.25 * Math.Log(2)], mixed.TokenLosses, 1e-15);
        TensorAssert.Close((0.25 * Math.Log(8) + 0.75 * forward) / 2, mixed.Loss, 1e-15);
        // cos((1, 1), (1, 0)) = 1/√2; the second is 0.
        var cosine = DistillationLosses.Cosine(
            tensor(
                new[,,]
                {
                    {
                        { 3.0, 3 },
                        { 0, 0 },
                    },
                }
            ),
            tensor(
                new[,,]
                {
                    {
                        { 0.1, 0 },
                        { 1, 2 },
                    },
                }
            ),
            ones(1, 2)
        );
        TensorAssert.Close([1 - Math.Sqrt(0.5), 1], cosine.TokenLosses, 1e-15);
    }

    [Fact]
    public void WithLabels_HasItsPartsAtTheEnds()
    {
        using var scope = NewDisposeScope();
        var (student, teacher, targets, mask) = (
            Numbers.Uniform(3, 2, 2, 3, 5),
            Numbers.Uniform(4, 2, 2, 3, 5),
            Numbers.Ids(5, 5, 2, 3),
            Numbers.Mask(3, 3, 1)
        );
        TensorAssert.Same(
            DistillationLosses.Distill(student, teacher, mask, Jsd).Loss,
            DistillationLosses.WithLabels(student, teacher, targets, mask, 0, Jsd).Loss
        );
        TensorAssert.Same(
            SupervisedLosses.NegativeLogLikelihood(student, targets, mask).Loss,
            DistillationLosses.WithLabels(student, teacher, targets, mask, 1, Jsd).Loss
        );
    }

    [Fact]
    public void TopK_IsFullForAllTokens_AndNeverMoreWithABucket()
    {
        using var scope = NewDisposeScope();
        var (student, teacher, mask) = (Numbers.Uniform(6, 3, 3, 4, 7), Numbers.Uniform(7, 3, 3, 4, 7), ones(3, 4));
        foreach (
            var divergence in new[]
            {
                Divergence.ForwardKl,
                Divergence.ReverseKl,
                Divergence.GeneralizedJsd(0.3),
                Divergence.TotalVariation,
            }
        )
        {
            Tensor Losses(DistillationSupport support) =>
                DistillationLosses
                    .Distill(student, teacher, mask, new DistillationObjective { Divergence = divergence, Support = support })
                    .TokenLosses;
            var full = Losses(DistillationSupport.Full);
            foreach (var source in Enum.GetValues<SupportSource>())
            {
                foreach (var tail in Enum.GetValues<SupportTail>())
                foreach (int k in new[] { 7, 9 })
                    TensorAssert.Close(full, Losses(DistillationSupport.TopK(k, tail, source)), 1e-14);
                // One token in the bucket loses nothing.
                TensorAssert.Close(full, Losses(DistillationSupport.TopK(6, SupportTail.Bucket, source)), 1e-14);
                var smaller = zeros_like(full);
                foreach (int k in new[] { 1, 2, 4, 6 })
                {
                    var bucket = Losses(DistillationSupport.TopK(k, SupportTail.Bucket, source));
                    Assert.True(
                        (bucket >= smaller - 1e-14).logical_and(bucket <= full + 1e-14).all().ToBoolean(),
                        $"{divergence}, top {k}"
                    );
                    smaller = bucket;
                }
                // One renormalised token is certain for both.
                TensorAssert.Close(new double[12], Losses(DistillationSupport.TopK(1, SupportTail.Renormalize, source)), 1e-15);
            }
        }
    }

    [Fact]
    public void TopK_KeepsSmallTailsAndSharpDistributionsExact()
    {
        using var scope = NewDisposeScope();
        var logits = tensor(
            new[,,]
            {
                {
                    { 1e4, 0, -1e4 },
                    { 50.0, 0, 0 },
                    { 1, double.NegativeInfinity, double.NegativeInfinity },
                },
            }
        );
        var options = new DistillationObjective { Support = DistillationSupport.TopK(1) };
        var same = DistillationLosses.Distill(logits, logits, ones(1, 3), options);
        TensorAssert.Close([0, 0, 0], same.TokenLosses, 1e-15);
        TensorAssert.Finite(Numbers.Gradient(x => DistillationLosses.Distill(x, logits, ones(1, 3), options).Loss, logits));
        // The tail 2e^{−50} against 4e^{−50}: log(1 − Σ) would see neither.
        var doubled = tensor(
            new[,,]
            {
                {
                    { 50.0, Math.Log(2), Math.Log(2) },
                },
            }
        );
        var tail = DistillationLosses.Distill(logits.narrow(1, 1, 1), doubled, ones(1, 1), options).TokenLosses;
        TensorAssert.Close([1], tail / (4 * Math.Exp(-50) * Math.Log(2)), 1e-12);
    }

    [Fact]
    public void Gradients_AgreeWithDifferences()
    {
        using var scope = NewDisposeScope();
        var (student, teacher, mask) = (Numbers.Uniform(8, 2, 2, 3, 5), Numbers.Uniform(9, 2, 2, 3, 5), Numbers.Mask(3, 3, 1));
        foreach (var aggregation in new[] { LossAggregation.TokenMean, LossAggregation.SequenceMean, LossAggregation.SequenceSum(3) })
            GradientCheck.Run(x => DistillationLosses.Distill(x[0], teacher, mask, Jsd, aggregation).Loss, student);
        GradientCheck.Run(x => DistillationLosses.Distill(x[0], teacher, mask, Top).Loss, student);
        GradientCheck.Run(
            x =>
                DistillationLosses
                    .Distill(x[0], teacher, mask, Jsd with { Support = DistillationSupport.TopK(2, SupportTail.Renormalize) })
                    .Loss,
            student
        );
        GradientCheck.Run(x => DistillationLosses.Cosine(x[0], teacher, mask).Loss, student);
        GradientCheck.Run(x => DistillationLosses.WithLabels(x[0], teacher, Numbers.Ids(10, 5, 2, 3), mask, 0.3).Loss, student);
        // A second derivative, by differences of the first.
        GradientCheck.Run(
            x =>
            {
                var leaf = x[0].requires_grad ? x[0] : x[0].requires_grad_(true);
                return Numbers.GradientGraph(DistillationLosses.Distill(leaf, teacher, mask, Jsd).Loss, leaf)[0].square().sum();
            },
            student
        );
    }

    [Fact]
    public void SecondDerivatives_AreFiniteAtExtremeLogits()
    {
        using var scope = NewDisposeScope();
        var teacher = tensor(
            new[,,]
            {
                {
                    { -1e4, 1e4, 0 },
                    { 0, 0, 1 },
                },
            }
        );
        foreach (var divergence in new[] { Divergence.ForwardKl, Divergence.ReverseKl, Divergence.GeneralizedJsd(0.4) })
        foreach (var support in new[] { DistillationSupport.Full, DistillationSupport.TopK(1) })
        {
            var options = new DistillationObjective { Divergence = divergence, Support = support };
            var second = Numbers.Gradient(
                x => Numbers.GradientGraph(DistillationLosses.Distill(x, teacher, ones(1, 2), options).Loss, x)[0].square().sum(),
                tensor(
                    new[,,]
                    {
                        {
                            { 1e4, -1e4, 0 },
                            { 1e4, 0, 0 },
                        },
                    }
                )
            );
            TensorAssert.Finite(second, $"{divergence}, {support}");
        }
    }

    [Fact]
    public void BFloat16_StaysItsTypeAndNearFloat64()
    {
        using var scope = NewDisposeScope();
        var (student, teacher, mask) = (
            Numbers.Uniform(18, 2, 2, 3, 5).to_type(ScalarType.BFloat16),
            Numbers.Uniform(19, 2, 2, 3, 5).to_type(ScalarType.BFloat16),
            Numbers.Mask(3, 3, 1)
        );
        foreach (var options in new[] { new DistillationObjective(), Jsd, Top })
        {
            var loss = DistillationLosses.Distill(student, teacher, mask, options).Loss;
            Assert.Equal(ScalarType.BFloat16, loss.dtype);
            TensorAssert.Close(DistillationLosses.Distill(student.to_type(ScalarType.Float64), teacher, mask, options).Loss, loss, 3e-2);
        }
    }

    [Fact]
    public void LawsOfTokenLosses_Hold()
    {
        using var scope = NewDisposeScope();
        var (student, teacher, mask) = (Numbers.Uniform(11, 2, 3, 4, 5), Numbers.Uniform(12, 2, 3, 4, 5), Numbers.Mask(4, 2, 2, 0));
        foreach (
            var function in new Func<Tensor, Tensor, Tensor, LossAggregation, double?, Tensor>[]
            {
                (s, t, m, a, d) => DistillationLosses.Distill(s, t, m, Jsd, a, d).Loss,
                (s, t, m, a, d) => DistillationLosses.Distill(s, t, m, Top, a, d).Loss,
                (s, t, m, a, d) => DistillationLosses.Cosine(s, t, m, a, d).Loss,
            }
        )
        foreach (var aggregation in new[] { LossAggregation.TokenMean, LossAggregation.SequenceMean, LossAggregation.SequenceSum(4) })
        {
            Tensor Loss(Tensor s, Tensor t, Tensor m, double? d = null) => function(s, t, m, aggregation, d);
            var loss = Loss(student, teacher, mask);
            var gone = (mask == 0).unsqueeze(-1);
            foreach (double poison in new[] { double.NaN, double.PositiveInfinity })
            {
                TensorAssert.Same(loss, Loss(student.masked_fill(gone, poison), teacher.masked_fill(gone, poison), mask));
                TensorAssert.Same(
                    Numbers.Gradient(x => Loss(x, teacher, mask), student),
                    Numbers.Gradient(x => Loss(x, teacher.masked_fill(gone, poison), mask), student.masked_fill(gone, poison))
                );
            }
            double denominator = aggregation.Denominator(mask);
            TensorAssert.Close(
                loss,
                Loss(student.narrow(0, 0, 2).narrow(1, 0, 2), teacher.narrow(0, 0, 2).narrow(1, 0, 2), ones(2, 2), denominator),
                1e-15
            );
            TensorAssert.Close(
                loss,
                Loss(student.narrow(0, 0, 1), teacher.narrow(0, 0, 1), mask.narrow(0, 0, 1), denominator)
                    + Loss(student.narrow(0, 1, 2), teacher.narrow(0, 1, 2), mask.narrow(0, 1, 2), denominator),
                1e-15
            );
            TensorAssert.Close(0, Loss(student, teacher, zeros(3, 4)), 0);
            TensorAssert.Zero(Numbers.Gradient(x => Loss(x, teacher, zeros(3, 4)), student));
            var broken = student.clone();
            broken[0, 0, 0] = tensor(double.NaN);
            Assert.True(double.IsNaN(Loss(broken, teacher, mask).ToDouble()));
        }
    }

    [Fact]
    public void Cosine_DoesNotDependOnLengths()
    {
        using var scope = NewDisposeScope();
        var (student, teacher, mask) = (Numbers.Uniform(13, 1, 1, 3, 4), Numbers.Uniform(14, 1, 1, 3, 4), ones(1, 3));
        var expected = DistillationLosses.Cosine(student, teacher, mask).Loss;
        foreach (double scale in new[] { 1e-300, 1e-200, 1e200, 1e300 })
        {
            TensorAssert.Close(expected, DistillationLosses.Cosine(student * scale, teacher, mask).Loss, 1e-14);
            TensorAssert.Close(expected, DistillationLosses.Cosine(student, teacher * scale, mask).Loss, 1e-14);
        }
        TensorAssert.Finite(Numbers.Gradient(x => DistillationLosses.Cosine(x, teacher, mask).Loss, zeros_like(student)));
    }

    [Fact]
    public void OnlyTheResultsStayAlive()
    {
        using var student = Numbers.Uniform(15, 1, 2, 3, 5).requires_grad_(true);
        using var teacher = Numbers.Uniform(16, 1, 2, 3, 5);
        using var tokens = Numbers.Ids(17, 5, 2, 3);
        using var mask = Numbers.Mask(3, 3, 1);
        static Tensor[] All(DistillationLoss loss) => [loss.Loss, loss.TokenLosses, loss.Agreement];
        foreach (var options in new[] { Jsd, Top, Jsd with { Support = DistillationSupport.TopK(2, SupportTail.Renormalize) } })
            Ownership.Check(() => All(DistillationLosses.Distill(student, teacher, mask, options)), student, teacher, mask);
        Ownership.Check(() => All(DistillationLosses.WithLabels(student, teacher, tokens, mask)), student, teacher, tokens, mask);
        Ownership.Check(() => All(DistillationLosses.Cosine(student, teacher, mask)), student, teacher, mask);
    }

    [Fact]
    public void BadArguments_AreNamed()
    {
        using var scope = NewDisposeScope();
        var (logits, other, mask) = (zeros(2, 3, 5), zeros(2, 3, 4), ones(2, 3));
        Assert.Contains(
            "teacherLogits has shape [2, 3, 4], expected [2, 3, 5]",
            Assert.Throws<ArgumentException>(() => DistillationLosses.Distill(logits, other, mask)).Message
        );
        Assert.Contains(
            "mask has shape [2, 4]",
            Assert.Throws<ArgumentException>(() => DistillationLosses.Distill(logits, logits, ones(2, 4))).Message
        );
        Assert.Contains(
            "student has shape [2, 3], expected [B,T,D]",
            Assert.Throws<ArgumentException>(() => DistillationLosses.Cosine(mask, mask, mask)).Message
        );
        Assert.Contains(
            "studentLogits has shape [2, 3, 0]",
            Assert.Throws<ArgumentException>(() => DistillationLosses.Distill(zeros(2, 3, 0), zeros(2, 3, 0), mask)).Message
        );
        Assert.Equal(
            "Temperature",
            Assert
                .Throws<ArgumentOutOfRangeException>(() =>
                    DistillationLosses.Distill(logits, logits, mask, new DistillationObjective { Temperature = 0 })
                )
                .ParamName
        );
        Assert.Equal(
            "labelWeight",
            Assert
                .Throws<ArgumentOutOfRangeException>(() =>
                    DistillationLosses.WithLabels(logits, logits, zeros(2, 3, dtype: ScalarType.Int64), mask, 2)
                )
                .ParamName
        );
        Assert.Equal("k", Assert.Throws<ArgumentOutOfRangeException>(() => DistillationSupport.TopK(0)).ParamName);
        Assert.Equal("tail", Assert.Throws<ArgumentOutOfRangeException>(() => DistillationSupport.TopK(1, (SupportTail)5)).ParamName);
        Assert.Equal(
            "source",
            Assert.Throws<ArgumentOutOfRangeException>(() => DistillationSupport.TopK(1, SupportTail.Bucket, (SupportSource)5)).ParamName
        );
    }
}
