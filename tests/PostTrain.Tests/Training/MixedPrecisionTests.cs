using PostTrain.Data;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Training.Optimizers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training;

/// <summary>Parameters in bfloat16 are trained through float32 copies.</summary>
[Collection("Sequential")]
public sealed class MixedPrecisionTests
{
    public static TheoryData<string> Optimizers => ["AdamW", "Adam", "Sgd", "Adafactor", "Muon"];

    // Between 1 and the next smaller bfloat16 lies 1/256, and between that and half of it everything rounds back to 1: without copies 100
    // steps of 1e-4 would change nothing.
    [Fact]
    public void Update_StepsBelowTheRounding_AddUp()
    {
        using var model = new Weights([1f], ScalarType.BFloat16);
        using var optimization = new Optimization(model, new SftOptions { LearningRate = 1e-4, Steps = 100 });
        for (int step = 0; step < 100; step++)
            optimization.Update(1, _ => model.Values.sum());
        // AdamW's steps have the rate's size while the gradient stays the same: 1 − 100·1e-4 = 0.99, and the nearest bfloat16 is 253/256 or
        // 254/256.
        Assert.Equal(0.99, optimization.States[0].Tensors.Single(item => item.Name == "master").Tensor.ToDouble(), 1e-5);
        Assert.Equal(253.5 / 256, model.Values.ToDouble(), 1.0 / 512);
        Assert.NotEqual(1, model.Values.ToDouble());
    }

    // 1 + 2⁻⁹ is no bfloat16: a sum of gradients in the weights' own type would be 1.
    [Fact]
    public void Update_BatchInParts_AddsGradientsUpInFloat32()
    {
        using var model = new Weights([0f], ScalarType.BFloat16);
        using var optimization = new Optimization(
            model,
            new SftOptions
            {
                LearningRate = 1,
                Optimizer = OptimizerChoice.Sgd(),
                MaxGradNorm = double.PositiveInfinity,
            }
        );
        optimization.Update(2, part => model.Values.sum() * (part == 0 ? 1 : Math.ScaleB(1, -9)));
        Assert.Equal(-1 - Math.ScaleB(1, -9), optimization.States[0].Tensors[0].Tensor.ToDouble());
        Assert.Equal(-1, model.Values.ToDouble());
    }

    // A sum of gradients of several shapes and layouts in two parts: those of a view that is repeated, of a transpose and of whole vectors.
    [Fact]
    public void Update_GradientsOfAnyLayout_AreThoseOfFloat32()
    {
        using var scope = NewDisposeScope();
        float[] start = [.. Enumerable.Range(0, 27).Select(i => (i - 11) / 8f)];
        using var model = new Weights(start, ScalarType.BFloat16);
        using var optimization = new Optimization(
            model,
            new SftOptions
            {
                LearningRate = 0.5,
                Optimizer = OptimizerChoice.Sgd(),
                MaxGradNorm = double.PositiveInfinity,
            }
        );
        var factors = tensor(Enumerable.Range(0, 27).Select(i => (float)(i % 7 - 3)).ToArray()).view(9, 3).to_type(ScalarType.BFloat16);
        optimization.Update(2, part => part == 0 ? model.Values.sum() : (model.Values.t() * factors).sum());
        var expected = tensor(start).view(3, 9) - (factors.t().to_type(ScalarType.Float32) + 1) * 0.5;
        TensorAssert.Same(expected, optimization.States[0].Tensors[0].Tensor);
        TensorAssert.Same(expected.to_type(ScalarType.BFloat16), model.Values);
    }

    // As with float32 weights: no decay, no moments.
    [Fact]
    public void Update_ParameterThatNoPartReaches_StaysAsItIs()
    {
        using var first = new Weights([1f], ScalarType.BFloat16);
        using var second = new Weights([2f], ScalarType.BFloat16);
        using var both = new Pair(first, second);
        using var optimization = new Optimization(both, new SftOptions { LearningRate = 0.1, WeightDecay = 0.5 });
        for (int step = 0; step < 3; step++)
            optimization.Update(1, _ => first.Values.sum());
        Assert.Equal(2, second.Values.ToDouble());
        Assert.NotEqual(1, first.Values.ToDouble());
        Assert.Equal([3L, 0], optimization.States.Select(state => state.Updates));
        optimization.Update(1, _ => second.Values.sum());
        Assert.NotEqual(2, second.Values.ToDouble());
    }

    // The loss is linear, with factors that bfloat16 holds, so that the gradient is exact in both types and does not depend on the weights.
    [Theory]
    [MemberData(nameof(Optimizers))]
    public void Update_ExactGradients_CopiesAreTheFloat32Run_BitForBit(string name)
    {
        float[] start = [.. Enumerable.Range(0, 12).Select(i => (i - 5) / 8f)],
            factors = [.. Enumerable.Range(0, 12).Select(i => (i % 5 - 2) / 4f)];
        byte[] Run(ScalarType type)
        {
            using var scope = NewDisposeScope();
            using var model = new Weights(start, type);
            using var optimization = new Optimization(
                model,
                new SftOptions
                {
                    LearningRate = 1e-3,
                    WeightDecay = 0.1,
                    Optimizer = Choice(name),
                    MaxGradNorm = double.PositiveInfinity,
                }
            );
            for (int step = 0; step < 20; step++)
                optimization.Update(1, _ => (model.Values * tensor(factors).reshape(3, 4).to_type(type)).sum());
            Assert.Equal(type, model.Values.dtype);
            if (type == ScalarType.Float32)
                return model.Values.detach().bytes.ToArray();
            var master = optimization.States[0].Tensors.Single(item => item.Name == "master").Tensor.detach();
            Assert.Equal(master.to_type(type).bytes.ToArray(), model.Values.detach().bytes.ToArray());
            return master.bytes.ToArray();
        }

        Assert.Equal(Run(ScalarType.Float32), Run(ScalarType.BFloat16));
    }

    // The forward pass rounds to 8 bits, so the losses agree to about that. At twice the rate AdamW's steps jump in float32 already, and
    // the runs part after twenty of them.
    [Fact]
    public void Sft_InBFloat16_FollowsFloat32()
    {
        Demonstration[] data = [new("0=", "ab"), new("1+1=", "ba"), new("2=", "ab"), new("7=", "b")];
        double[] Losses(ScalarType type)
        {
            using var model = Toy.Model(type: type);
            using var trainer = new SftTrainer(
                model,
                Toy.Tokenizer,
                new SftOptions
                {
                    Steps = 30,
                    BatchSize = 4,
                    MicroBatchSize = 2,
                    LearningRate = 5e-3,
                }
            );
            return [.. trainer.Run(data).Select(report => report.Loss)];
        }

        var (single, half) = (Losses(ScalarType.Float32), Losses(ScalarType.BFloat16));
        Assert.True(half[^1] < half[0] / 2, $"from {half[0]} to {half[^1]}");
        foreach (var (a, b) in single.Zip(half))
            Assert.Equal(a, b, 0.01 * single[0]);
    }

    [Fact]
    public void Float16_IsRefused_NamingTheParameter()
    {
        using var model = new Weights([1f], ScalarType.Float16);
        var error = Assert.Throws<ArgumentException>(() => new Optimization(model, new SftOptions()));
        Assert.Contains("parameter weights is Float16, expected BFloat16", error.Message, StringComparison.Ordinal);
    }

    private static OptimizerChoice Choice(string name) =>
        name switch
        {
            "AdamW" => OptimizerChoice.AdamW,
            "Adam" => OptimizerChoice.Adam,
            "Sgd" => OptimizerChoice.Sgd(momentum: 0.9),
            "Adafactor" => OptimizerChoice.Adafactor(),
            _ => OptimizerChoice.Muon(),
        };

    private sealed class Pair : nn.Module
    {
        private readonly Weights first;
        private readonly Weights second;

        internal Pair(Weights first, Weights second)
            : base(nameof(Pair))
        {
            (this.first, this.second) = (first, second);
            RegisterComponents();
        }
    }

    /// <summary>One parameter: a matrix of three rows, or a single number.</summary>
    private sealed class Weights : nn.Module
    {
        private readonly Parameter weights;

        internal Weights(float[] values, ScalarType type)
            : base(nameof(Weights))
        {
            weights = new Parameter(values.Length == 1 ? tensor(values[0], dtype: type) : tensor(values).reshape(3, -1).to_type(type));
            RegisterComponents();
        }

        internal Parameter Values => weights;
    }
}
