using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Training.Optimizers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training;

[Collection("Sequential")]
public sealed class FusedOptimizerTests
{
    private static readonly SftOptions Options = new()
    {
        LearningRate = 0.03,
        Beta1 = 0.85,
        Beta2 = 0.97,
        AdamEpsilon = 1e-6,
    };

    /// <summary>An optimiser in one pass, and TorchSharp's.</summary>
    private static readonly Dictionary<string, (OptimizerChoice Fused, Func<ParameterGroup[], IParameterOptimizer> Torch)> Choices = new()
    {
        ["AdamW"] = (OptimizerChoice.AdamW, groups => TorchOptimizer.AdamW(groups, Options)),
        ["Adam"] = (OptimizerChoice.Adam, groups => TorchOptimizer.Adam(groups, Options)),
        ["descent"] = (OptimizerChoice.Sgd(), groups => TorchOptimizer.Sgd(groups, Options, 0, false)),
        ["momentum"] = (OptimizerChoice.Sgd(0.9), groups => TorchOptimizer.Sgd(groups, Options, 0.9, false)),
        ["Nesterov"] = (OptimizerChoice.Sgd(0.8, nesterov: true), groups => TorchOptimizer.Sgd(groups, Options, 0.8, true)),
    };

    public static TheoryData<string, ScalarType, double> Cases
    {
        get
        {
            var data = new TheoryData<string, ScalarType, double>();
            foreach (var name in Choices.Keys)
            {
                data.Add(name, ScalarType.Float64, 1e-14);
                data.Add(name, ScalarType.Float32, 2e-6);
            }
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Steps_AreThoseOfTorchSharp(string name, ScalarType type, double tolerance)
    {
        using var scope = NewDisposeScope();
        var (own, others) = (Groups(type), Groups(type));
        Assert.True(FusedOptimizer.Takes(own));
        using var fused = Choices[name].Fused.Create(own, Options);
        Assert.IsAssignableFrom<FusedOptimizer>(fused);
        using var torch = Choices[name].Torch(others);
        for (var step = 0; step < 6; step++)
        {
            foreach (var groups in new[] { own, others })
                Give(groups, step);
            fused.Update(0.03 / (1 + step));
            torch.Update(0.03 / (1 + step));
            foreach (var (a, b) in Parameters(own).Zip(Parameters(others)))
                TensorAssert.Close(b, a, tolerance, $"parameter after step {step}");
            foreach (var (a, b) in fused.States.Zip(torch.States))
            {
                Assert.Equal(step + 1, a.Updates);
                Assert.Equal(b.Tensors.Select(item => item.Name), a.Tensors.Select(item => item.Name));
                foreach (var (mine, theirs) in a.Tensors.Zip(b.Tensors))
                    TensorAssert.Close(theirs.Tensor, mine.Tensor, tolerance, mine.Name);
            }
        }
    }

    [Fact]
    public void ParameterWithoutAGradient_StaysAndIsNotCounted()
    {
        using var scope = NewDisposeScope();
        var groups = Groups(ScalarType.Float32);
        using var optimizer = new FusedAdam(groups, Options, decoupled: true);
        Give(groups, 0);
        optimizer.ZeroGradients();
        var (first, second) = (groups[0].Parameters[0], groups[0].Parameters[1]);
        var before = second.detach().clone();
        first.grad = ones_like(first);
        optimizer.Update(0.1);
        TensorAssert.Same(before, second);
        Assert.Equal([1, 0, 0], optimizer.States.Select(state => state.Updates));
    }

    [Fact]
    public void Clipping_IsThatOfTorchSharp()
    {
        using var scope = NewDisposeScope();
        foreach (var limit in new[] { 0.5, 1e6 })
        {
            var (own, others) = (Groups(ScalarType.Float64), Groups(ScalarType.Float64));
            Give(own, 1);
            Give(others, 1);
            var norm = Optimization.ClipGradients([.. Parameters(own)], limit);
            var expected = nn.utils.clip_grad_norm_(Parameters(others), limit);
            Assert.Equal(expected, norm, 1e-12 * expected);
            foreach (var (a, b) in Parameters(own).Zip(Parameters(others)))
                TensorAssert.Close(b.grad!, a.grad!, 1e-12);
        }
        Assert.Equal(0, Optimization.ClipGradients([new Parameter(ones(3))], 1));
    }

    [Fact]
    public void Bits_DoNotDependOnThreads()
    {
        using var scope = NewDisposeScope();
        var threads = get_num_threads();
        try
        {
            var results = new List<Tensor[]>();
            foreach (var count in new[] { 1, 2 })
            {
                set_num_threads(count);
                var parameter = new Parameter(Numbers.Uniform(1, 1, 300, 1000).to_type(ScalarType.Float32));
                using var optimizer = new FusedAdam([new ParameterGroup([parameter], 0.1, 1)], Options, decoupled: true);
                parameter.grad = Numbers.Uniform(2, 1, 300, 1000).to_type(ScalarType.Float32);
                Optimization.ClipGradients([parameter], 1);
                optimizer.Update(0.1);
                results.Add([parameter.detach().clone(), parameter.grad!.clone()]);
            }
            TensorAssert.Same(results[0][0], results[1][0]);
            TensorAssert.Same(results[0][1], results[1][1]);
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    private static ParameterGroup[] Groups(ScalarType type)
    {
        Parameter Of(int seed, params long[] shape) => new(Numbers.Uniform(seed, 1, shape).to_type(type));
        return [new ParameterGroup([Of(1, 5, 7), Of(2, 3, 3)], 0.2, 1), new ParameterGroup([Of(3, 13)], 0, 0.5)];
    }

    private static IEnumerable<Parameter> Parameters(ParameterGroup[] groups) => groups.SelectMany(group => group.Parameters);

    private static void Give(ParameterGroup[] groups, int step)
    {
        foreach (var (i, parameter) in Parameters(groups).Index())
            parameter.grad = Numbers.Uniform(100 * step + i, 1 + step, parameter.shape).to_type(parameter.dtype);
    }
}
