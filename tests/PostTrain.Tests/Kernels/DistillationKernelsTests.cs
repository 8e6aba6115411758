using PostTrain.Distillation;
using PostTrain.Kernels;
using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Kernels;

[Collection("Sequential")]
public sealed class DistillationKernelsTests
{
    private static readonly Divergence[] Divergences =
    [
        Divergence.ForwardKl,
        Divergence.ReverseKl,
        Divergence.SymmetricKl(0.3),
        Divergence.TotalVariation,
        Divergence.GeneralizedJsd(0.5),
        Divergence.GeneralizedJsd(0.1),
    ];

    public static TheoryData<ScalarType, bool> Layouts => KernelFuzz.Layouts;

    [Fact]
    public void ForwardKl_OfTwoTokens_IsWorkedByHand()
    {
        using var scope = NewDisposeScope();
        // p = ¾, ¼ and q = ½, ½: ¾ log 1.5 + ¼ log 0.5, gradient q − p.
        var loss = DistillationKernels.Distill(
            zeros(1, 1, 2, ScalarType.Float64),
            tensor(
                new[,,]
                {
                    {
                        { Math.Log(3), 0.0 },
                    },
                }
            ),
            ones(1, 1)
        );
        KernelFuzz.Near(0.75 * Math.Log(1.5) + 0.25 * Math.Log(0.5), loss.Loss, 1e-15, "loss");
        TensorAssert.Close([-0.25, 0.25], loss.Gradient, 1e-15);
        Assert.Equal(1, loss.Accuracy);
    }

    [Fact]
    public void DivergencesAndAggregationsOfOnesOwn_AreNotSupported()
    {
        using var scope = NewDisposeScope();
        var (logits, mask) = (zeros(1, 2, 3), ones(1, 2));
        var options = new DistillationObjective { Divergence = Divergence.Of("mine", (q, p) => (q - p).square()) };
        Assert.Contains(
            "the divergence mine has no kernel",
            Assert.Throws<NotSupportedException>(() => DistillationKernels.Distill(logits, logits, mask, options)).Message,
            StringComparison.Ordinal
        );
        var aggregation = LossAggregation.Of("mine", counted => ones_like(counted), counted => counted.shape[0]);
        Assert.Throws<NotSupportedException>(() => DistillationKernels.Distill(logits, logits, mask, null, aggregation));
        Assert.Throws<NotSupportedException>(() =>
            SupervisedKernels.CrossEntropy(logits, zeros(1, 2, ScalarType.Int64), mask, aggregation: aggregation)
        );
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Distill_IsTheOracle(ScalarType type, bool strided)
    {
        int seed = 0;
        foreach (var (rows, columns) in KernelFuzz.Shapes)
        {
            foreach (int width in new[] { 1, 5, 66 })
            {
                foreach (var divergence in Divergences)
                {
                    using var scope = NewDisposeScope();
                    seed++;
                    var mask = KernelFuzz.Holes(seed, type, strided, rows, columns);
                    Tensor Make(int offset) =>
                        KernelFuzz.Lay(
                            KernelFuzz
                                .Make(10 * seed + offset, type, strided, 3, 1, rows, columns, width)
                                .masked_fill((mask == 0).unsqueeze(-1), double.NaN),
                            strided
                        );
                    var (student, teacher) = (Make(1), Make(2));
                    var options = new DistillationObjective
                    {
                        Divergence = divergence,
                        Temperature = seed % 2 == 0 ? 1 : 1.7,
                        ScaleByTemperatureSquared = seed % 3 != 0,
                    };
                    var aggregation = seed % 4 == 0 ? LossAggregation.SequenceMean : null;
                    double? denominator = seed % 5 == 0 ? 13 : null;
                    DistillationLoss Oracle(Tensor x) => DistillationLosses.Distill(x, teacher, mask, options, aggregation, denominator);
                    using var oracle = Fused.Reference();
                    var expected = Oracle(student);
                    var gradient = KernelFuzz.Gradients(x => Oracle(x[0]).Loss, student)[0];
                    var actual = DistillationKernels.Distill(student, teacher, mask, options, aggregation, denominator);
                    double tolerance = KernelFuzz.Tolerance(type);
                    TensorAssert.Close(expected.TokenLosses, actual.TokenLosses, tolerance, $"token losses, {divergence}");
                    KernelFuzz.Near(expected.Loss.ToDouble(), actual.Loss, tolerance, $"loss, {divergence}");
                    TensorAssert.Close(gradient, actual.Gradient, tolerance, $"gradient, {divergence}");
                    KernelFuzz.Near(expected.Agreement.ToDouble(), actual.Accuracy, 1e-6, "agreement");
                }
            }
        }
    }

    [Fact]
    public void Distill_StaysFinite_WhereOneIsCertain()
    {
        using var scope = NewDisposeScope();
        var (student, teacher) = (
            tensor(
                new[,,]
                {
                    {
                        { 1e3, 0.0, -1e3 },
                    },
                }
            ),
            tensor(
                new[,,]
                {
                    {
                        { 0.0, 1e3, -500 },
                    },
                }
            )
        );
        foreach (var divergence in Divergences)
        {
            var options = new DistillationObjective { Divergence = divergence };
            using var oracle = Fused.Reference();
            var expected = DistillationLosses.Distill(student, teacher, ones(1, 1), options);
            var gradient = KernelFuzz.Gradients(x => DistillationLosses.Distill(x[0], teacher, ones(1, 1), options).Loss, student)[0];
            var actual = DistillationKernels.Distill(student, teacher, ones(1, 1), options);
            KernelFuzz.Near(expected.Loss.ToDouble(), actual.Loss, 1e-12, $"loss, {divergence}");
            TensorAssert.Close(gradient, actual.Gradient, 1e-12, $"gradient, {divergence}");
        }
    }

    [Fact]
    public void BadInput_IsRefusedAsByTheOracle()
    {
        using var scope = NewDisposeScope();
        var (logits, mask) = (zeros(1, 2, 3), ones(1, 2));
        void Same(Tensor student, Tensor teacher, Tensor counted) =>
            KernelFuzz.SameRefusal(
                () => DistillationLosses.Distill(student, teacher, counted),
                () => DistillationKernels.Distill(student, teacher, counted)
            );
        Same(zeros(2, 3), zeros(2, 3), mask);
        Same(logits, zeros(1, 2, 4), mask);
        Same(logits, logits, ones(2, 2));
        Same(logits.to_type(ScalarType.Int64), logits, mask);
        Same(zeros(1, 2, 0), zeros(1, 2, 0), mask);
        Assert.Throws<NotSupportedException>(() =>
            DistillationKernels.Distill(logits, logits, mask, new() { Support = DistillationSupport.TopK(2) })
        );
    }

    [Fact]
    public void Threads_ChangeNoBit() =>
        KernelFuzz.SameBits(() =>
        {
            var loss = DistillationKernels.Distill(
                Numbers.Uniform(1, 3, 2, 32, 2048),
                Numbers.Uniform(2, 3, 2, 32, 2048),
                ones(2, 32),
                new() { Divergence = Divergence.GeneralizedJsd(0.5) }
            );
            return [tensor(loss.Loss), loss.TokenLosses, loss.Gradient];
        });

    [Fact]
    public void Ownership_IsTheCallers()
    {
        using var scope = NewDisposeScope();
        var (student, teacher, mask) = (
            KernelFuzz.Make(1, ScalarType.Float32, true, 1, 0, 2, 3, 5),
            KernelFuzz.Make(2, ScalarType.Float64, true, 1, 0, 2, 3, 5),
            Numbers.Mask(3, 1, 3)
        );
        Ownership.Check(
            () =>
            {
                var loss = DistillationKernels.Distill(student, teacher, mask);
                return [loss.TokenLosses, loss.Gradient];
            },
            student,
            teacher,
            mask
        );
    }
}
