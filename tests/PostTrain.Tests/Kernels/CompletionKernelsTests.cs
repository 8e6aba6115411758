using PostTrain.Kernels;
using PostTrain.Operators;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Kernels;

[Collection("Sequential")]
public sealed class CompletionKernelsTests
{
    public static TheoryData<ScalarType, bool> Layouts => KernelFuzz.Layouts;

    [Fact]
    public void Kto_OfTwoCompletions_IsWorkedByHand()
    {
        using var scope = NewDisposeScope();
        // D = 1 and −2, z₀ = 1: σ(0)·2 for the desirable one, σ(½·(−3))·1 for the other.
        var loss = CompletionKernels.Kto(
            tensor(new[] { -1.0, -4 }),
            tensor(new[] { -2.0, -2 }),
            tensor(new[] { true, false }),
            1,
            new KtoObjective { Beta = 0.5, DesirableWeight = 2 }
        );
        TensorAssert.Close([1, 0.18242552380635635], loss.Losses, 1e-15);
        KernelFuzz.Near(0.5912127619031782, loss.Loss, 1e-15, "loss");
        TensorAssert.Close([-0.125, 0.5 * 0.18242552380635635 * (1 - 0.18242552380635635) / 2], loss.Gradient, 1e-15);
        KernelFuzz.Near(-0.25, loss.Reward, 0, "reward");
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Kto_IsTheOracle(ScalarType type, bool strided)
    {
        for (int seed = 0; seed < 2 * KernelFuzz.Lengths.Length; seed++)
        {
            using var scope = NewDisposeScope();
            long rows = KernelFuzz.Lengths[seed / 2];
            Tensor Make(int offset) => KernelFuzz.Make(10 * seed + offset, type, strided, 3, -2, rows);
            var (logProbs, reference, mismatched, other) = (Make(1), Make(2), Make(3), Make(4));
            var desirable = KernelFuzz.Holes(seed, type, strided, rows);
            var options = new KtoObjective
            {
                Beta = 0.4,
                DesirableWeight = 1.3,
                UndesirableWeight = 0.7,
            };
            double? denominator = seed % 3 == 0 ? null : 11;
            using var oracle = Fused.Reference();
            var point = UnpairedLosses.ReferencePoint(mismatched, other);
            double tolerance = KernelFuzz.Tolerance(type),
                mine = CompletionKernels.ReferencePoint(mismatched, other);
            KernelFuzz.Near(point.ToDouble(), mine, tolerance, "reference point");
            var expected = UnpairedLosses.Kto(logProbs, reference, desirable, point, options, denominator);
            var gradient = KernelFuzz.Gradients(
                x => UnpairedLosses.Kto(x[0], reference, desirable, point, options, denominator).Loss,
                logProbs
            )[0];
            var actual = CompletionKernels.Kto(logProbs, reference, desirable, mine, options, denominator);
            TensorAssert.Close(expected.Losses, actual.Losses, tolerance, "losses");
            KernelFuzz.Near(expected.Loss.ToDouble(), actual.Loss, tolerance, "loss");
            TensorAssert.Close(gradient, actual.Gradient, tolerance, "gradient");
            if (rows > 0)
                KernelFuzz.Near(expected.Rewards.mean().ToDouble(), actual.Reward, tolerance, "reward");
        }
    }

    [Fact]
    public void BadInput_IsRefusedAsByTheOracle()
    {
        using var scope = NewDisposeScope();
        var (two, three) = (zeros(2), zeros(3));
        KernelFuzz.SameRefusal(() => UnpairedLosses.Kto(two, three, two), () => CompletionKernels.Kto(two, three, two));
        KernelFuzz.SameRefusal(() => UnpairedLosses.Kto(two, two, three), () => CompletionKernels.Kto(two, two, three));
        KernelFuzz.SameRefusal(() => UnpairedLosses.Kto(zeros(2, 2), two, two), () => CompletionKernels.Kto(zeros(2, 2), two, two));
        KernelFuzz.SameRefusal(
            () => UnpairedLosses.Kto(two, two, two, denominator: 0),
            () => CompletionKernels.Kto(two, two, two, denominator: 0)
        );
        KernelFuzz.SameRefusal(() => UnpairedLosses.ReferencePoint(two, three), () => CompletionKernels.ReferencePoint(two, three));
    }

    [Fact]
    public void Ownership_IsTheCallers()
    {
        using var scope = NewDisposeScope();
        foreach (bool strided in new[] { false, true })
        {
            var (logProbs, reference, good) = (
                KernelFuzz.Make(1, ScalarType.Float32, strided, 1, 0, 5),
                KernelFuzz.Make(2, ScalarType.Float64, strided, 1, 0, 5),
                KernelFuzz.Holes(1, ScalarType.Float32, strided, 5)
            );
            Ownership.Check(
                () =>
                {
                    var loss = CompletionKernels.Kto(logProbs, reference, good, CompletionKernels.ReferencePoint(logProbs, reference));
                    return [loss.Losses, loss.Gradient];
                },
                logProbs,
                reference,
                good
            );
        }
    }
}
