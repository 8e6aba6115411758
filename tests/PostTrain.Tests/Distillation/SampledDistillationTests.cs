using PostTrain.Distillation;
using PostTrain.Numerics;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Distillation;

public sealed class SampledDistillationTests
{
    [Fact]
    public void Advantages_GiveTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        var student = zeros(2, 4, dtype: ScalarType.Float64);
        var teacher = tensor(
            new[,]
            {
                { 1.0, 2, 4, 8 },
                { 3, 5, double.NaN, double.NaN },
            }
        );
        var mask = Numbers.Mask(4, 4, 2);
        TensorAssert.Close([1, 2, 4, 8, 3, 5, 0, 0], DistillationAdvantages.PerToken(student, teacher, mask), 0);
        Tensor MiniLlm(double gamma, bool normalize, bool own = false, bool start = false, double uncounted = 0) =>
            DistillationAdvantages.MiniLlm(
                student,
                teacher,
                mask,
                new MiniLlmObjective
                {
                    Gamma = gamma,
                    LengthNormalization = normalize,
                    OwnReward = own,
                    DiscountFromStart = start,
                    UncountedWeight = uncounted,
                }
            );
        // Later rewards: 2 + 4 + 8, 4 + 8, 8, none | 5, none.
        TensorAssert.Close([14, 12, 8, 0, 5, 0, 0, 0], MiniLlm(1, false), 1e-14);
        TensorAssert.Close([14.0 / 3, 6, 8, 0, 5, 0, 0, 0], MiniLlm(1, true), 1e-14);
        TensorAssert.Close([2 + 2 + 2, 4 + 4, 8, 0, 5, 0, 0, 0], MiniLlm(0.5, false), 1e-14);
        TensorAssert.Close([6 / 1.75, 8 / 1.5, 8, 0, 5, 0, 0, 0], MiniLlm(0.5, true), 1e-14);
        TensorAssert.Close([2, 4, 8, 0, 5, 0, 0, 0], MiniLlm(0, false), 1e-14);
        TensorAssert.Close([1 + 1 + 1 + 1, 2 + 2 + 2, 4 + 4, 8, 5.5, 5, 0, 0], MiniLlm(0.5, false, own: true), 1e-14);
        TensorAssert.Close([4, 3, 2, 1, 5.5, 2.5, 0, 0], MiniLlm(0.5, false, own: true, start: true), 1e-14);
        TensorAssert.Close([15.0 / 4, 14.0 / 3, 6, 8, 8 / 3.0, 5 / 2.0, 0, 0], MiniLlm(1, true, own: true, uncounted: 0.5), 1e-14);
        TensorAssert.Same(MiniLlm(1, true), DistillationAdvantages.MiniLlm(student, teacher, mask));
    }

    /// <summary>The sums in log₂ T steps are the definition's, at every length.</summary>
    [Fact]
    public void DiscountedSums_AreTheirDefinition_AndPaddingChangesNothing()
    {
        using var scope = NewDisposeScope();
        for (int length = 1; length <= 9; length++)
        {
            var (student, teacher) = (Numbers.Uniform(length, 1, 1, length), Numbers.Uniform(length + 50, 1, 1, length));
            var options = new MiniLlmObjective { Gamma = 0.7, LengthNormalization = false };
            var advantages = DistillationAdvantages.MiniLlm(student, teacher, ones(1, length), options);
            double[] rewards = Numbers.Values(teacher - student);
            var expected = rewards.Select((_, t) => rewards.Skip(t + 1).Select((reward, i) => Math.Pow(0.7, i) * reward).Sum()).ToArray();
            TensorAssert.Close(expected, advantages, 1e-14);
            Tensor Pad(Tensor row) =>
                cat([full([1, 2], 9.0, dtype: ScalarType.Float64), row, full([1, 3], double.NaN, dtype: ScalarType.Float64)], 1);
            var mask = cat([zeros(1, 2), ones(1, length), zeros(1, 3)], 1);
            foreach (bool normalize in new[] { false, true })
                TensorAssert.Close(
                    DistillationAdvantages.MiniLlm(student, teacher, ones(1, length), options with { LengthNormalization = normalize }),
                    DistillationAdvantages
                        .MiniLlm(Pad(student), Pad(teacher), mask, options with { LengthNormalization = normalize })
                        .narrow(1, 2, length),
                    1e-15
                );
        }
    }

    /// <summary>Enumerates the nine answers of two tokens from a vocabulary of three: the expected gradient of the sampled loss is that of
    /// KL(q(y)‖p(y)) itself.</summary>
    [Fact]
    public void MiniLlm_HasTheGradientOfTheSequencesReverseKl()
    {
        using var scope = NewDisposeScope();
        // Row 0: the first token's logits; rows 1 to 3: the second's after each first token.
        var (student, teacher) = (Numbers.Uniform(20, 2, 4, 3), Numbers.Uniform(21, 2, 4, 3));
        var answers = tensor(Enumerable.Range(0, 9).SelectMany(i => new long[] { i / 3, i % 3 }).ToArray()).reshape(9, 2);
        Tensor Logits(Tensor table) => stack([table.narrow(0, 0, 1).expand(9, 3), table.index_select(0, answers.select(1, 0) + 1)], 1);
        Tensor Sequence(Tensor table) => TokenLogProbs.Gather(Logits(table), answers).sum(1L);
        var exact = Numbers.Gradient(table => (Sequence(table).exp() * (Sequence(table) - Sequence(teacher))).sum(), student);

        var probabilities = Sequence(student).exp();
        var sum = LossAggregation.SequenceSum(1);
        var options = new MiniLlmObjective { LengthNormalization = false };
        var sampled = Numbers.Gradient(
            table =>
                (
                    DistillationLosses.MiniLlm(Logits(table), Logits(teacher), answers, ones(9, 2), options, null, sum).TokenLosses.sum(1L)
                    * probabilities
                ).sum(),
            student
        );
        TensorAssert.Close(exact, sampled, 1e-14);
        // The token's own reward beside the exact part counts it twice.
        var twice = Numbers.Gradient(
            table =>
                (
                    DistillationLosses
                        .MiniLlm(Logits(table), Logits(teacher), answers, ones(9, 2), options with { OwnReward = true }, null, sum)
                        .TokenLosses.sum(1L) * probabilities
                ).sum(),
            student
        );
        Assert.True((twice - exact).abs().max().ToDouble() > 1e-2);
        // Each token by itself on the student's samples: the gradient of the last position's KL, and without the later rewards for the
        // first.
        var perToken = Numbers.Gradient(
            table =>
                (
                    DistillationLosses
                        .SampledReverseKl(
                            TokenLogProbs.Gather(Logits(table), answers),
                            null,
                            TokenLogProbs.Gather(Logits(teacher), answers),
                            ones(9, 2),
                            null,
                            sum
                        )
                        .TokenLosses.sum(1L) * probabilities
                ).sum(),
            student
        );
        var local = Numbers.Gradient(
            table =>
                (
                    Divergence.ReverseKl.Between(Logits(table).log_softmax(-1), Logits(teacher).log_softmax(-1)).sum(1L) * probabilities
                ).sum(),
            student
        );
        TensorAssert.Close(local, perToken, 1e-14);
        // The diagnostic's expectation is the KL over whole answers, by the chain rule, a token each.
        var kls = stack([
            .. Enumerable
                .Range(0, 9)
                .Select(i =>
                    DistillationLosses
                        .MiniLlm(Logits(student).narrow(0, i, 1), Logits(teacher).narrow(0, i, 1), answers.narrow(0, i, 1), ones(1, 2))
                        .Kl
                ),
        ]);
        TensorAssert.Close((probabilities * (Sequence(student) - Sequence(teacher))).sum(), (probabilities * kls).sum() * 2, 1e-14);
    }

    [Fact]
    public void SampledReverseKl_WeighsByTheCappedRatio()
    {
        using var scope = NewDisposeScope();
        var logProbs = tensor(
            new[,]
            {
                { -1.0, -2, -0.5 },
            }
        );
        var teacher = tensor(
            new[,]
            {
                { -2.0, -1, -0.5 },
            }
        );
        var old =
            logProbs
            - tensor(
                new[,]
                {
                    { Math.Log(3), Math.Log(0.5), 1e4 },
                }
            );
        var loss = DistillationLosses.SampledReverseKl(logProbs, old, teacher, ones(1, 3), 2);
        // (log q − log p)·min(ρ, 2)·log q: 1·2·(−1), −1·½·(−2), 0.
        TensorAssert.Close([-2, 1, 0], loss.TokenLosses, 1e-14);
        TensorAssert.Close(-1.0 / 3, loss.Loss, 1e-14);
        TensorAssert.Close(0, loss.Kl, 1e-15);
        TensorAssert.Close(
            [2.0 / 3, -0.5 / 3, 0],
            Numbers.Gradient(x => DistillationLosses.SampledReverseKl(x, old, teacher, ones(1, 3), 2).Loss, logProbs),
            1e-14
        );
        TensorAssert.Close([-1, 2, 0], DistillationLosses.SampledReverseKl(logProbs, null, teacher, ones(1, 3)).TokenLosses, 1e-14);
        TensorAssert.Close(
            [-3, 1],
            DistillationLosses.SampledReverseKl(logProbs, old, teacher, Numbers.Mask(3, 2)).TokenLosses.narrow(1, 0, 2),
            1e-14
        );
    }

    [Fact]
    public void MixedSamplingWeights_MakeTheMixtureUnbiased()
    {
        using var scope = NewDisposeScope();
        var (student, teacher) = (Numbers.Uniform(22, 2, 1, 5).log_softmax(-1), Numbers.Uniform(23, 2, 1, 5).log_softmax(-1));
        foreach (double share in new[] { 0, 0.2, 0.9 })
        {
            var weights = DistillationAdvantages.MixedSamplingWeights(student, teacher, ones(1, 5), share);
            // Over the whole vocabulary, mixture × weight is the student.
            TensorAssert.Close(student.exp(), (teacher.exp() * share + student.exp() * (1 - share)) * weights, 1e-15);
        }
        var extreme = DistillationAdvantages.MixedSamplingWeights(
            tensor(
                new[,]
                {
                    { 0.0, -1e4 },
                }
            ),
            tensor(
                new[,]
                {
                    { -1e4, 0.0 },
                }
            ),
            ones(1, 2)
        );
        TensorAssert.Close([1.25, 0], extreme, 1e-15);
    }

    [Fact]
    public void LawsOfTokenLosses_Hold()
    {
        using var scope = NewDisposeScope();
        var (student, teacher, tokens, mask) = (
            Numbers.Uniform(24, 2, 2, 3, 4),
            Numbers.Uniform(25, 2, 2, 3, 4),
            Numbers.Ids(26, 4, 2, 3),
            Numbers.Mask(3, 3, 1)
        );
        var weights = Numbers.Uniform(27, 1, 2, 3);
        Tensor Loss(Tensor s, Tensor t, Tensor w, Tensor m) =>
            DistillationLosses.MiniLlm(s, t, tokens.masked_fill(m == 0, -100), m, null, w).Loss;
        var gone = mask == 0;
        var poisoned = student.masked_fill(gone.unsqueeze(-1), double.NaN);
        TensorAssert.Same(
            Loss(student, teacher, weights, mask),
            Loss(poisoned, teacher.masked_fill(gone.unsqueeze(-1), double.NaN), weights.masked_fill(gone, double.NaN), mask)
        );
        TensorAssert.Same(
            Numbers.Gradient(x => Loss(x, teacher, weights, mask), student),
            Numbers.Gradient(x => Loss(x, teacher, weights, mask), poisoned)
        );
        TensorAssert.Zero(Numbers.Gradient(x => Loss(x, teacher, weights, zeros(2, 3)), student));
        var (logProbs, other) = (Numbers.Uniform(28, 1, 2, 3), Numbers.Uniform(29, 1, 2, 3));
        Tensor Sampled(Tensor l, Tensor o, Tensor t, Tensor m) => DistillationLosses.SampledReverseKl(l, o, t, m, 3).Loss;
        var expected = Sampled(logProbs, other, other, mask);
        for (int which = 0; which < 3; which++)
        {
            Tensor[] inputs = [logProbs, other, other];
            inputs[which] = inputs[which].masked_fill(gone, double.NaN);
            TensorAssert.Same(expected, Sampled(inputs[0], inputs[1], inputs[2], mask));
            TensorAssert.Finite(Numbers.Gradient(x => Sampled(x, inputs[1], inputs[2], mask), inputs[0]));
        }
        TensorAssert.Zero(Numbers.Gradient(x => Sampled(x, other, other, zeros(2, 3)), logProbs));
        var extreme = tensor(
            new[,]
            {
                { -1e4, 0.0 },
            }
        );
        TensorAssert.Finite(Numbers.Gradient(x => Sampled(x, -extreme, extreme * -0.5, ones(1, 2)), extreme));
    }

    [Fact]
    public void OnlyTheResultsStayAlive()
    {
        using var student = Numbers.Uniform(30, 1, 2, 3, 4).requires_grad_(true);
        using var teacher = Numbers.Uniform(31, 1, 2, 3, 4);
        using var tokens = Numbers.Ids(32, 4, 2, 3);
        using var mask = Numbers.Mask(3, 3, 1);
        using var logProbs = Numbers.Uniform(33, 1, 2, 3).requires_grad_(true);
        static Tensor[] All(SampledDistillationLoss loss) => [loss.Loss, loss.TokenLosses, loss.Kl];
        Ownership.Check(() => All(DistillationLosses.MiniLlm(student, teacher, tokens, mask, null, mask)), student, teacher, tokens, mask);
        Ownership.Check(() => All(DistillationLosses.SampledReverseKl(logProbs, logProbs, logProbs, mask, 2)), logProbs, mask);
        foreach (double gamma in new[] { 0, 0.5, 1 })
        foreach (bool start in new[] { false, true })
            Ownership.Check(
                () =>
                    [
                        DistillationAdvantages.MiniLlm(
                            logProbs,
                            logProbs,
                            mask,
                            new MiniLlmObjective
                            {
                                Gamma = gamma,
                                LengthNormalization = !start,
                                DiscountFromStart = start,
                            }
                        ),
                    ],
                logProbs,
                mask
            );
        Ownership.Check(
            () =>
                [
                    DistillationAdvantages.PerToken(logProbs, logProbs, mask),
                    DistillationAdvantages.MixedSamplingWeights(logProbs, logProbs, mask),
                ],
            logProbs,
            mask
        );
        using var result = DistillationAdvantages.MiniLlm(logProbs, logProbs, mask);
        Assert.False(result.requires_grad);
    }

    [Fact]
    public void BadArguments_AreNamed()
    {
        using var scope = NewDisposeScope();
        var (table, narrow) = (zeros(2, 3), zeros(2, 2));
        Assert.Contains(
            "teacherLogProbs has shape [2, 2], expected [2, 3]",
            Assert.Throws<ArgumentException>(() => DistillationAdvantages.PerToken(table, narrow, table)).Message
        );
        Assert.Contains(
            "oldLogProbs has shape [2, 2]",
            Assert.Throws<ArgumentException>(() => DistillationLosses.SampledReverseKl(table, narrow, table, table)).Message
        );
        Assert.Contains(
            "weights has shape [2, 2]",
            Assert
                .Throws<ArgumentException>(() =>
                    DistillationLosses.MiniLlm(zeros(2, 3, 4), zeros(2, 3, 4), zeros(2, 3, dtype: ScalarType.Int64), table, null, narrow)
                )
                .Message
        );
        Assert.Equal(
            "ratioCap",
            Assert.Throws<ArgumentOutOfRangeException>(() => DistillationLosses.SampledReverseKl(table, table, table, table, 0)).ParamName
        );
        Assert.Equal(
            "Gamma",
            Assert
                .Throws<ArgumentOutOfRangeException>(() =>
                    DistillationAdvantages.MiniLlm(table, table, table, new MiniLlmObjective { Gamma = 1.1 })
                )
                .ParamName
        );
        Assert.Equal(
            "UncountedWeight",
            Assert
                .Throws<ArgumentOutOfRangeException>(() =>
                    DistillationAdvantages.MiniLlm(table, table, table, new MiniLlmObjective { UncountedWeight = -1 })
                )
                .ParamName
        );
        Assert.Equal(
            "teacherShare",
            Assert.Throws<ArgumentOutOfRangeException>(() => DistillationAdvantages.MixedSamplingWeights(table, table, table, 1)).ParamName
        );
    }
}
