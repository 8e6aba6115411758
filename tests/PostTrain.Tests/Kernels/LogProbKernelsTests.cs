using PostTrain.Kernels;
using PostTrain.Numerics;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Kernels;

[Collection("Sequential")]
public sealed class LogProbKernelsTests
{
    private static readonly int[] Widths = [1, 2, 7, 8, 9, 33, 300];

    public static TheoryData<ScalarType, bool> Layouts => KernelFuzz.Layouts;

    [Fact]
    public void Gather_OfThreeTokens_IsWorkedByHand()
    {
        using var scope = NewDisposeScope();
        // π = ½, ¼, ¼: log π₁ = −log 4, H = 1.5·log 2; u(δ − π) with u = 2.
        var (scores, gradient) = LogProbKernels.GatherWithGradient(
            tensor(
                new[,]
                {
                    { Math.Log(2), 0.0, 0 },
                }
            ),
            tensor(new long[] { 1 }),
            tensor(new[] { 2.0 }),
            entropy: true
        );
        TensorAssert.Close([-Math.Log(4)], scores.LogProbs, 1e-15);
        TensorAssert.Close([1.5 * Math.Log(2)], scores.Entropies!, 1e-15);
        TensorAssert.Close([Math.Log(4)], scores.LogPartitions, 1e-15);
        TensorAssert.Close([-1, 1.5, -0.5], gradient, 1e-15);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void GatherWithGradient_IsTheOracle(ScalarType type, bool strided)
    {
        int seed = 0;
        foreach (int width in Widths)
        {
            foreach (var (rows, columns) in KernelFuzz.Shapes)
            {
                using var scope = NewDisposeScope();
                seed++;
                double tolerance = KernelFuzz.Tolerance(type);
                var logits = KernelFuzz.Make(10 * seed, type, strided, seed % 4 == 0 ? 30 : 3, 5, rows, columns, width);
                var targets = Numbers.Ids(seed, width, rows, columns);
                var mask = seed % 3 == 0 ? null : KernelFuzz.Holes(seed, type, strided, rows, columns);
                if (mask is not null)
                {
                    // What does not count is not read.
                    targets = targets.masked_fill(mask == 0, -100);
                    logits = KernelFuzz.Lay(logits.masked_fill((mask == 0).unsqueeze(-1), double.NaN), strided);
                }
                var (u, w) = (
                    KernelFuzz.Make(10 * seed + 1, type, strided, 1, 0, rows, columns),
                    seed % 2 == 0 ? null : KernelFuzz.Make(10 * seed + 2, type, strided, 1, 0, rows, columns)
                );
                var counted = mask ?? ones(rows, columns);
                Tensor Entropies(Tensor x) =>
                    TokenLogProbs.Entropy(x.masked_fill((counted == 0).unsqueeze(-1), 0)) * (counted != 0).to_type(type);
                var expected = mask is null ? TokenLogProbs.Gather(logits, targets) : TokenLogProbs.Gather(logits, targets, mask);
                var expectedGradient = KernelFuzz.Gradients(
                    x =>
                    {
                        var logProbs = mask is null ? TokenLogProbs.Gather(x[0], targets) : TokenLogProbs.Gather(x[0], targets, mask);
                        return (logProbs * u).sum() + (w is null ? 0 : (Entropies(x[0]) * w).sum());
                    },
                    logits
                )[0];
                var (scores, gradient) = LogProbKernels.GatherWithGradient(logits, targets, u, w, mask, entropy: true);
                TensorAssert.Close(expected, scores.LogProbs, tolerance, "log-probs");
                TensorAssert.Close(Entropies(logits), scores.Entropies!, tolerance, "entropies");
                TensorAssert.Close(expectedGradient, gradient, tolerance, "gradient");
                var plain = LogProbKernels.Gather(logits, targets, mask);
                TensorAssert.Same(scores.LogProbs, plain.LogProbs);
                Assert.Null(plain.Entropies);
            }
        }
    }

    [Fact]
    public void Attached_DifferentiatesTheLogits()
    {
        using var scope = NewDisposeScope();
        var (logits, targets, mask) = (Numbers.Uniform(1, 2, 2, 3, 7), Numbers.Ids(1, 7, 2, 3), Numbers.Mask(3, 2, 3));
        GradientCheck.Run(x => LogProbKernels.Attached(x[0], targets, mask).square().sum(), logits);
        GradientCheck.Run(x => LogProbKernels.Attached(x[0], targets).exp().sum(), logits);
    }

    [Fact]
    public void ImpossibleTokens_ContributeNothing()
    {
        using var scope = NewDisposeScope();
        foreach (var type in new[] { ScalarType.Float64, ScalarType.Float32 })
        {
            var logits = tensor(
                    new[,]
                    {
                        { double.NegativeInfinity, 0, 0 },
                        { 1e4, -1e4, 0 },
                    }
                )
                .to_type(type);
            var (scores, gradient) = LogProbKernels.GatherWithGradient(logits, tensor(new long[] { 1, 1 }), ones(2), ones(2));
            TensorAssert.Close([-Math.Log(2), -2e4], scores.LogProbs, 1e-6);
            TensorAssert.Close([Math.Log(2), 0], scores.Entropies!, 1e-6);
            TensorAssert.Close([0, 0.5, -0.5, -1, 1, 0], gradient, 1e-6);
            var nan = LogProbKernels.GatherWithGradient(
                tensor(
                        new[,]
                        {
                            { double.NaN, 0, 0 },
                        }
                    )
                    .to_type(type),
                tensor(new long[] { 1 }),
                ones(1)
            );
            Assert.True(double.IsNaN(Numbers.Values(nan.Scores.LogProbs)[0]));
            Assert.All(Numbers.Values(nan.Gradient), value => Assert.True(double.IsNaN(value)));
        }
    }

    [Fact]
    public void Threads_ChangeNoBit() =>
        KernelFuzz.SameBits(() =>
        {
            var (logits, targets) = (Numbers.Uniform(1, 3, 64, 2048).to_type(ScalarType.Float32), Numbers.Ids(1, 2048, 64));
            var (scores, gradient) = LogProbKernels.GatherWithGradient(logits, targets, ones(64), ones(64));
            return [scores.LogProbs, scores.Entropies!, gradient];
        });

    [Fact]
    public void BadInput_IsRefused()
    {
        using var scope = NewDisposeScope();
        var (logits, targets) = (zeros(2, 3), zeros(2, ScalarType.Int64));
        KernelFuzz.SameRefusal(
            () => TokenLogProbs.Gather(logits, zeros(3, ScalarType.Int64)),
            () => LogProbKernels.Gather(logits, zeros(3, ScalarType.Int64))
        );
        KernelFuzz.SameRefusal(() => TokenLogProbs.Gather(logits, zeros(2)), () => LogProbKernels.Gather(logits, zeros(2)));
        KernelFuzz.SameRefusal(() => TokenLogProbs.Gather(targets, targets), () => LogProbKernels.Gather(targets, targets));
        KernelFuzz.SameRefusal(
            () => TokenLogProbs.Gather(logits, targets, zeros(3)),
            () => LogProbKernels.Gather(logits, targets, zeros(3))
        );
        Assert.Contains(
            "targets holds 3, expected token ids in 0..2",
            Assert.Throws<ArgumentException>(() => LogProbKernels.Gather(logits, targets + 3)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "gradient has shape [3]",
            Assert.Throws<ArgumentException>(() => LogProbKernels.GatherWithGradient(logits, targets, zeros(3))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Ownership_IsTheCallers()
    {
        using var scope = NewDisposeScope();
        foreach (bool strided in new[] { false, true })
        {
            var (logits, targets, mask, u) = (
                KernelFuzz.Make(1, ScalarType.Float32, strided, 1, 0, 2, 3, 5),
                Numbers.Ids(1, 5, 2, 3),
                Numbers.Mask(3, 1, 3),
                ones(2, 3)
            );
            Ownership.Check(
                () =>
                {
                    var (scores, gradient) = LogProbKernels.GatherWithGradient(logits, targets, u, u, mask);
                    return [scores.LogProbs, scores.LogPartitions, scores.Entropies!, gradient];
                },
                logits,
                targets,
                mask,
                u
            );
            Ownership.Check(() => [LogProbKernels.Attached(logits, targets, mask)], logits, targets, mask);
        }
    }
}
