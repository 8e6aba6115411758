using PostTrain.Operators;
using PostTrain.Tests.Kernels;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Operators;

/// <summary>What every operator owes: values and gradients of the tensor operators that it stands for, first and second ones, the same
/// bits for one and two threads, and nothing left alive.</summary>
internal static class OperatorCheck
{
    internal static double Tolerance(ScalarType type) =>
        type switch
        {
            ScalarType.Float64 => 1e-12,
            ScalarType.Float32 => 2e-5,
            // Results that differ in float32's last digits can be rounded to neighbours, which are 1/128 of a number apart.
            _ => 1.0 / 120,
        };

    /// <summary>float64, float32 and bfloat16, each contiguous and strided.</summary>
    public static TheoryData<ScalarType, bool> Layouts
    {
        get
        {
            var data = KernelFuzz.Layouts;
            data.Add(ScalarType.BFloat16, false);
            data.Add(ScalarType.BFloat16, true);
            return data;
        }
    }

    /// <summary>Value and gradients, with and without a graph, against the tensor operators.</summary>
    /// <param name="run">The operator.</param>
    /// <param name="reference">The same by tensor operators.</param>
    /// <param name="type">Of the inputs; float64 is checked to 1e-12.</param>
    /// <param name="inputs">All get a gradient.</param>
    internal static void Agree(Func<Tensor[], Tensor> run, Func<Tensor[], Tensor> reference, ScalarType type, params Tensor[] inputs)
    {
        using var scope = NewDisposeScope();
        var tolerance = Tolerance(type);
        Tensor expected;
        using (no_grad())
        {
            expected = reference(inputs);
            TensorAssert.Close(expected, run(inputs), tolerance, "value without a graph");
        }
        var upstream = Numbers.Uniform(77, 1, expected.shape).to_type(type);
        var leaves = Leaves(inputs);
        TensorAssert.Close(expected, run(leaves), tolerance, "value");
        var gradients = KernelFuzz.Gradients(x => (run(x) * upstream).sum(), inputs);
        var wanted = KernelFuzz.Gradients(x => (reference(x) * upstream).sum(), inputs);
        for (var i = 0; i < inputs.Length; i++)
            TensorAssert.Close(wanted[i], gradients[i], tolerance, $"gradient {i}");
    }

    /// <summary>In bfloat16 value and gradients have the bits of those in float32, rounded.</summary>
    /// <param name="run">The operator.</param>
    /// <param name="inputs">In bfloat16; all get a gradient.</param>
    internal static void IsTheRoundedSingle(Func<Tensor[], Tensor> run, params Tensor[] inputs)
    {
        using var scope = NewDisposeScope();
        var wide = Array.ConvertAll(inputs, input => input.to_type(ScalarType.Float32));
        var (value, expected) = (run(inputs), run(wide));
        Assert.Equal((ScalarType.BFloat16, ScalarType.Float32), (value.dtype, expected.dtype));
        TensorAssert.Same(expected.to_type(ScalarType.BFloat16), value, "value");
        TensorAssert.Same(value, run(Leaves(inputs)), "value with a graph");
        var upstream = Numbers.Uniform(78, 1, value.shape).to_type(ScalarType.BFloat16);
        var gradients = Upward(run, upstream, inputs);
        var wanted = Upward(run, upstream.to_type(ScalarType.Float32), wide);
        for (var i = 0; i < inputs.Length; i++)
            TensorAssert.Same(wanted[i].to_type(ScalarType.BFloat16), gradients[i], $"gradient {i}");
    }

    /// <summary>Second derivatives: those of the tensor operators.</summary>
    internal static void AgreeTwice(Func<Tensor[], Tensor> run, Func<Tensor[], Tensor> reference, params Tensor[] inputs)
    {
        using var scope = NewDisposeScope();
        var (found, wanted) = (Second(run, inputs), Second(reference, inputs));
        // In bfloat16 sums of rounded numbers, in which a neighbour may stand for a number.
        var tolerance = inputs[0].dtype == ScalarType.BFloat16 ? 0.05 : 1e-11;
        for (var i = 0; i < inputs.Length; i++)
            TensorAssert.Close(wanted[i], found[i], tolerance, $"second gradient {i}");
    }

    /// <summary>Value and gradients with one and with two threads are the same bits.</summary>
    internal static void IsTheSameForTwoThreads(Func<Tensor[], Tensor> run, params Tensor[] inputs)
    {
        using var scope = NewDisposeScope();
        var before = get_num_threads();
        try
        {
            set_num_threads(1);
            var (one, ofOne) = (run(inputs), KernelFuzz.Gradients(x => run(x).square().sum(), inputs));
            set_num_threads(2);
            var (two, ofTwo) = (run(inputs), KernelFuzz.Gradients(x => run(x).square().sum(), inputs));
            TensorAssert.Same(one, two);
            foreach (var (first, second) in ofOne.Zip(ofTwo))
                TensorAssert.Same(first, second);
        }
        finally
        {
            set_num_threads(before);
        }
    }

    /// <summary>Only the result stays alive after a call, with a graph and without.</summary>
    internal static void LeavesNothing(Func<Tensor[], Tensor> run, params Tensor[] inputs)
    {
        Ownership.Check(() => [run(inputs)], inputs);
        var leaves = Leaves(inputs);
        Ownership.Check(() => [run(leaves)], leaves);
        var before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        for (var round = 0; round < 3; round++)
        {
            using var scope = NewDisposeScope();
            run(leaves).sum().backward();
        }
        Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
    }

    private static Tensor[] Leaves(Tensor[] inputs) => Array.ConvertAll(inputs, input => input.detach().clone().requires_grad_(true));

    private static Tensor[] Upward(Func<Tensor[], Tensor> run, Tensor upstream, Tensor[] inputs)
    {
        var leaves = Leaves(inputs);
        run(leaves).backward([upstream]);
        return Array.ConvertAll(leaves, leaf => leaf.grad!);
    }

    private static Tensor[] Second(Func<Tensor[], Tensor> function, Tensor[] inputs)
    {
        var leaves = Leaves(inputs);
        var first = Numbers.GradientGraph(function(leaves).square().sum(), leaves);
        first.Select((gradient, i) => (gradient * (i + 1)).sin().sum()).Aggregate((sum, next) => sum + next).backward();
        return Array.ConvertAll(leaves, leaf => leaf.grad is { IsInvalid: false } gradient ? gradient : zeros_like(leaf));
    }
}
