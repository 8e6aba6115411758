using PostTrain.Kernels;
using PostTrain.Tests.Golden;
using PostTrain.Tests.Support;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Tests.Kernels;

[Collection("Sequential")]
public sealed class OptimizerKernelsTests
{
    private static readonly long[][] Sizes =
    [
        [0],
        [1],
        [3],
        [4, 5],
        [33],
        [7, 9],
        [70001],
    ];

    [Fact]
    public void AdamW_FirstStep_IsWorkedByHand()
    {
        using var scope = NewDisposeScope();
        var (parameter, mean, square) = (tensor(new double[] { 2 }), zeros(1, ScalarType.Float64), zeros(1, ScalarType.Float64));
        // m = 0.1·3, v = 0.001·9; corrected 3 and 9; 2·(1 − 0.1·0.5) − 0.1·3/(3 + 1) = 1.825.
        OptimizerKernels.AdamW(
            [parameter],
            [tensor(new double[] { 3 })],
            [mean],
            [square],
            1,
            new AdamWOptions
            {
                LearningRate = 0.1,
                Epsilon = 1,
                WeightDecay = 0.5,
            }
        );
        TensorAssert.Close([1.825], parameter, 1e-15);
        TensorAssert.Close([0.3], mean, 1e-15);
        TensorAssert.Close([0.009], square, 1e-15);
    }

    [Theory]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.Float32)]
    public void AdamW_IsTorchSharps(ScalarType type)
    {
        using var scope = NewDisposeScope();
        Parameter[] Make() => [.. Sizes.Select((size, i) => new Parameter(Numbers.Uniform(i, 1, size).to_type(type)))];
        var (theirs, ours) = (Make(), Make());
        Tensor[] means = [.. ours.Select(parameter => zeros_like(parameter))],
            squares = [.. ours.Select(parameter => zeros_like(parameter))];
        using var optimizer = optim.AdamW(theirs, 0.01, 0.8, 0.95, 1e-6, 0.1);
        var options = new AdamWOptions
        {
            LearningRate = 0.01,
            Beta1 = 0.8,
            Beta2 = 0.95,
            Epsilon = 1e-6,
            WeightDecay = 0.1,
        };
        for (int step = 1; step <= 5; step++)
        {
            Tensor[] gradients = [.. Sizes.Select((size, i) => KernelFuzz.Make(100 * step + i, type, i % 2 == 0, 1, 0, size))];
            foreach (var (parameter, gradient) in theirs.Zip(gradients))
                parameter.grad = gradient.clone();
            optimizer.step();
            using (no_grad())
                OptimizerKernels.AdamW(ours, gradients, means, squares, step, options);
            for (int i = 0; i < ours.Length; i++)
                TensorAssert.Close(theirs[i], ours[i], type == ScalarType.Float64 ? 1e-13 : 1e-6, $"parameter {i} after step {step}");
        }
    }

    [Fact]
    public void AdamW_GivesTheGoldenValues()
    {
        int count = 0;
        foreach (
            var item in GoldenFile
                .Load("optim")!
                .Cases.Select(item => item.Open())
                .Where(item =>
                    item.Kind == "optimizer" && item.Peer == "torch.optim.AdamW" && !item.Flag("amsgrad") && !item.Flag("maximize")
                )
        )
        {
            using var scope = NewDisposeScope();
            var parameters = item.Tensors("inputs", "start");
            Tensor[] means = [.. parameters.Select(parameter => zeros_like(parameter))],
                squares = [.. parameters.Select(parameter => zeros_like(parameter))];
            double[] betas = item.HasParameter("betas") ? item.Numbers("betas") : [0.9, 0.999];
            var options = new AdamWOptions
            {
                LearningRate = item.Parameter("lr", 1e-3),
                Beta1 = betas[0],
                Beta2 = betas[1],
                Epsilon = item.Parameter("eps", 1e-8),
                WeightDecay = item.Parameter("weight_decay", 0.01),
            };
            for (int i = 0; i < item.Json("inputs", "grads").GetArrayLength(); i++, count++)
            {
                OptimizerKernels.AdamW(parameters, item.Tensors("inputs", "grads", i), means, squares, i + 1, options);
                foreach (var (expected, actual) in item.Tensors("expected", "params", i).Zip(parameters))
                    GoldenTolerance.Close(expected, actual, $"{item.Id}, step {i}");
            }
        }
        Assert.True(count > 0);
    }

    [Theory]
    [InlineData(0.5)]
    [InlineData(1e9)]
    [InlineData(0)]
    public void ClipGradients_IsTorchs(double limit)
    {
        using var scope = NewDisposeScope();
        foreach (var type in new[] { ScalarType.Float64, ScalarType.Float32 })
        {
            Tensor[] gradients = [.. Sizes.Select((size, i) => Numbers.Uniform(i, 1, size).to_type(type))];
            double norm = Math.Sqrt(gradients.Sum(gradient => gradient.to_type(ScalarType.Float64).square().sum().ToDouble())),
                factor = Math.Min(1, limit / (norm + 1e-6));
            Tensor[] expected = [.. gradients.Select(gradient => gradient * factor)];
            KernelFuzz.Near(norm, OptimizerKernels.GradientNorm(gradients), KernelFuzz.Tolerance(type), "norm");
            KernelFuzz.Near(norm, OptimizerKernels.ClipGradients(gradients, limit), KernelFuzz.Tolerance(type), "norm before");
            foreach (var (one, other) in expected.Zip(gradients))
                TensorAssert.Close(one, other, KernelFuzz.Tolerance(type));
        }
    }

    [Fact]
    public void Norm_OfNothing_IsZero_AndOfANanIsNan()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(0, OptimizerKernels.GradientNorm([]));
        Assert.Equal(5, OptimizerKernels.GradientNorm([tensor(new double[] { 3 }), tensor(new float[] { 4 })]));
        Assert.True(double.IsNaN(OptimizerKernels.GradientNorm([tensor(new[] { 1, double.NaN })])));
    }

    [Fact]
    public void Threads_ChangeNoBit() =>
        KernelFuzz.SameBits(() =>
        {
            var (parameter, mean, square) = (Numbers.Uniform(1, 1, 300001).to_type(ScalarType.Float32), zeros(300001), zeros(300001));
            var gradient = Numbers.Uniform(2, 1, 300001).to_type(ScalarType.Float32);
            OptimizerKernels.AdamW([parameter], [gradient], [mean], [square], 1);
            return [parameter, mean, square, tensor(OptimizerKernels.ClipGradients([gradient], 0.1)), gradient];
        });

    [Fact]
    public void Nothing_IsLeftBehind()
    {
        using var scope = NewDisposeScope();
        Tensor[] tensors = [.. Enumerable.Range(0, 4).Select(i => Numbers.Uniform(i, 1, 5, 3).abs())];
        var strided = KernelFuzz.Make(9, ScalarType.Float32, true, 1, 0, 5, 3);
        Ownership.Check(
            () =>
            {
                OptimizerKernels.AdamW([tensors[0]], [strided], [tensors[1]], [tensors[2]], 1);
                OptimizerKernels.ClipGradients(tensors, 0.1);
                return [];
            },
            [.. tensors, strided]
        );
    }

    [Fact]
    public void BadInput_IsRefused()
    {
        using var scope = NewDisposeScope();
        var (two, three, strided) = (zeros(2), zeros(3), KernelFuzz.Make(1, ScalarType.Float32, true, 1, 0, 2));
        Assert.Contains(
            "gradients holds 2",
            Assert.Throws<ArgumentException>(() => OptimizerKernels.AdamW([two], [two, two], [two], [two], 1)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "gradients[0] has shape [3], expected [2] as parameters[0]",
            Assert.Throws<ArgumentException>(() => OptimizerKernels.AdamW([two], [three], [two], [two], 1)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => OptimizerKernels.AdamW([two], [two], [two], [two], 0));
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            OptimizerKernels.AdamW([two], [two], [two], [two], 1, new AdamWOptions { Beta1 = 1 })
        );
        Assert.Throws<ArgumentException>(() => OptimizerKernels.AdamW([two], [two], [two.to_type(ScalarType.Float64)], [two], 1));
        Assert.Throws<NotSupportedException>(() => OptimizerKernels.AdamW([strided], [two], [two], [two], 1));
        Assert.Throws<NotSupportedException>(() => OptimizerKernels.ClipGradients([strided + 0, strided], 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => OptimizerKernels.ClipGradients([two], -1));
    }
}
