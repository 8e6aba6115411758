using PostTrain.Kernels;
using PostTrain.Numerics;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Kernels;

[Collection("Sequential")]
public sealed class SupervisedKernelsTests
{
    private static readonly CrossEntropyObjective[] Options =
    [
        new(),
        new() { LabelSmoothing = 0.1 },
        new() { ZLoss = 0.01 },
        new() { Weighting = TokenWeighting.Probability },
        new()
        {
            LabelSmoothing = 0.3,
            ZLoss = 0.02,
            Weighting = TokenWeighting.Probability,
        },
    ];

    public static TheoryData<ScalarType, bool> Layouts => KernelFuzz.Layouts;

    [Fact]
    public void CrossEntropy_OfThreeTokens_IsWorkedByHand()
    {
        using var scope = NewDisposeScope();
        // π = ½, ¼, ¼: −log ¼, and (π − δ) of the one counted position.
        var logits = tensor(
            new[,,]
            {
                {
                    { Math.Log(2), 0.0, 0 },
                    { 9, 9, 9 },
                },
            }
        );
        var loss = SupervisedKernels.CrossEntropy(
            logits,
            tensor(
                new long[,]
                {
                    { 1, -100 },
                }
            ),
            tensor(
                new double[,]
                {
                    { 1, 0 },
                }
            )
        );
        KernelFuzz.Near(Math.Log(4), loss.Loss, 1e-15, "loss");
        TensorAssert.Close([0.5, -0.75, 0.25, 0, 0, 0], loss.Gradient, 1e-15);
        Assert.Equal(0, loss.Accuracy);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void CrossEntropy_IsTheOracle(ScalarType type, bool strided)
    {
        int seed = 0;
        foreach (var (rows, columns) in KernelFuzz.Shapes)
        {
            foreach (int width in new[] { 1, 6, 67 })
            {
                foreach (var options in Options)
                {
                    using var scope = NewDisposeScope();
                    seed++;
                    var mask = KernelFuzz.Holes(seed, type, strided, rows, columns);
                    var logits = KernelFuzz.Make(10 * seed, type, strided, 3, 1, rows, columns, width);
                    var targets = Numbers.Ids(seed, width, rows, columns).masked_fill(mask == 0, -100);
                    var weights = seed % 2 == 0 ? null : KernelFuzz.Make(10 * seed + 1, type, strided, 0.5, 1, rows, columns);
                    var aggregation = (seed % 3) switch
                    {
                        0 => null,
                        1 => LossAggregation.SequenceMean,
                        _ => LossAggregation.SequenceSum(5),
                    };
                    double? denominator = seed % 5 == 0 ? 13 : null;
                    SupervisedLoss Oracle(Tensor x) =>
                        SupervisedLosses.CrossEntropy(x, targets, mask, options, weights, aggregation, denominator);
                    var expected = Oracle(logits);
                    var gradient = KernelFuzz.Gradients(x => Oracle(x[0]).Loss, logits)[0];
                    var actual = SupervisedKernels.CrossEntropy(logits, targets, mask, options, weights, aggregation, denominator);
                    double tolerance = KernelFuzz.Tolerance(type);
                    TensorAssert.Close(expected.TokenLosses, actual.TokenLosses, tolerance, "token losses");
                    KernelFuzz.Near(expected.Loss.ToDouble(), actual.Loss, tolerance, "loss");
                    TensorAssert.Close(gradient, actual.Gradient, tolerance, "gradient");
                    KernelFuzz.Near(expected.Accuracy.ToDouble(), actual.Accuracy, 1e-6, "accuracy");
                }
            }
        }
    }

    [Fact]
    public void BadInput_IsRefusedAsByTheOracle()
    {
        using var scope = NewDisposeScope();
        var (logits, targets, mask, options) = (zeros(1, 2, 3), zeros(1, 2, ScalarType.Int64), ones(1, 2), new CrossEntropyObjective());
        void Same(Tensor z, Tensor y, Tensor m, CrossEntropyObjective given, Tensor? weights = null) =>
            KernelFuzz.SameRefusal(
                () => SupervisedLosses.CrossEntropy(z, y, m, given, weights),
                () => SupervisedKernels.CrossEntropy(z, y, m, given, weights)
            );
        Same(zeros(2, 3), targets, mask, options);
        Same(logits, zeros(1, 3, ScalarType.Int64), mask, options);
        Same(logits, zeros(1, 2), mask, options);
        Same(logits, targets, ones(1, 3), options);
        Same(logits, targets, mask, new() { LabelSmoothing = 2 });
        Same(logits, targets, mask, options, ones(1, 3));
        Assert.Throws<ArgumentException>(() => SupervisedKernels.CrossEntropy(logits, targets - 1, mask));
        Assert.Throws<NotSupportedException>(() =>
            SupervisedKernels.CrossEntropy(logits, targets, mask, new() { Logits = LogitTransform.None with { Scale = 2 } })
        );
    }

    [Fact]
    public void Threads_ChangeNoBit() =>
        KernelFuzz.SameBits(() =>
        {
            var loss = SupervisedKernels.CrossEntropy(
                Numbers.Uniform(1, 3, 4, 16, 2048).to_type(ScalarType.Float32),
                Numbers.Ids(1, 2048, 4, 16),
                ones(4, 16)
            );
            return [tensor(loss.Loss), loss.TokenLosses, loss.Gradient];
        });

    [Fact]
    public void Ownership_IsTheCallers()
    {
        using var scope = NewDisposeScope();
        var (logits, targets, mask) = (
            KernelFuzz.Make(1, ScalarType.Float32, true, 1, 0, 2, 3, 5),
            Numbers.Ids(1, 5, 2, 3),
            Numbers.Mask(3, 1, 3)
        );
        Ownership.Check(
            () =>
            {
                var loss = SupervisedKernels.CrossEntropy(logits, targets, mask);
                return [loss.TokenLosses, loss.Gradient];
            },
            logits,
            targets,
            mask
        );
    }
}
