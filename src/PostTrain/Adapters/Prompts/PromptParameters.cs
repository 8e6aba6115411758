using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Prompts;

/// <summary>The initialisation of a prompt encoder's parameters, by default PyTorch's: the k-th tensor depends on (seed, k) only, and not
/// on the engine.</summary>
internal sealed class PromptParameters(ulong seed, ScalarType type)
{
    private ulong drawn;

    /// <summary>Draws from N(0, deviation²).</summary>
    public Tensor Normal(long[] shape, double deviation)
    {
        var values = new float[Count(shape)];
        CounterRandom.FillNormal(values, seed, drawn++, deviation);
        return NativeTensor.Of(values, shape, type);
    }

    /// <summary>Draws uniformly from (−bound, bound).</summary>
    public Tensor Uniform(long[] shape, double bound)
    {
        var values = new double[Count(shape)];
        for (var i = 0; i < values.Length; i++)
            values[i] = bound * (2 * CounterRandom.OpenUniform(seed, drawn, (ulong)i) - 1);
        drawn++;
        return NativeTensor.Of(values, shape, type);
    }

    /// <summary>Creates a linear layer with weights and bias uniform in ±1/√inputs.</summary>
    public Linear Linear(long inputs, long outputs)
    {
        var bound = 1 / Math.Sqrt(inputs);
        return nn.Linear(Own(Uniform([outputs, inputs], bound)), Own(Uniform([outputs], bound)));
    }

    /// <summary>Creates a parameter outside of all dispose scopes.</summary>
    public static Parameter Own(Tensor values)
    {
        var parameter = new Parameter(values);
        parameter.DetachFromDisposeScope();
        return parameter;
    }

    private static int Count(long[] shape) => checked((int)shape.Aggregate(1L, (product, size) => checked(product * size)));
}
