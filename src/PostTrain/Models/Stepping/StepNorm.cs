using System.Numerics;
using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>A normalisation as memory, a row at a time.</summary>
internal sealed unsafe class StepNorm<T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private readonly nn.Module<Tensor, Tensor> module;
    private readonly ForwardHooks hooks;
    private readonly StepParameter<T> weight;
    private readonly StepParameter<T> bias;
    private readonly double epsilon;
    private readonly bool offset;

    private StepNorm(nn.Module<Tensor, Tensor> module, ForwardHooks hooks, StepParameter<T> weight, StepParameter<T> bias)
    {
        (this.module, this.hooks, this.weight, this.bias) = (module, hooks, weight, bias);
        (epsilon, offset) = module is RmsNorm norm ? (norm.Epsilon, norm.HasOffset) : (((LayerNormalization)module).Epsilon, false);
    }

    /// <summary>A norm without hooks; null for every other one.</summary>
    public static StepNorm<T>? Of(nn.Module<Tensor, Tensor> module)
    {
        if (module is not (RmsNorm or LayerNormalization) || ForwardHooks.Of(module) is not { Any: false } hooks)
            return null;
        var (parts, fits) = ((IWeighted)module, true);
        var (weight, bias) = (StepParameter<T>.Of(parts.Weight, ref fits), StepParameter<T>.Of(parts.Bias, ref fits));
        return fits ? new StepNorm<T>(module, hooks, weight, bias) : null;
    }

    /// <summary>True if the norm is still <paramref name="now"/>, with the same memory and without hooks.</summary>
    public bool IsCurrent(nn.Module<Tensor, Tensor> now) =>
        ReferenceEquals(module, now) && !hooks.Any && weight.IsOf(((IWeighted)module).Weight) && bias.IsOf(((IWeighted)module).Bias);

    /// <summary>Writes a normalised row; <paramref name="y"/> may be <paramref name="x"/>.</summary>
    public void Run(T* x, T* y, int width)
    {
        if (module is RmsNorm)
            RmsNormKernel.Row(x, weight.Address, y, width, epsilon, offset);
        else
            LayerNormKernel.Row(x, weight.Address, bias.Address, y, width, epsilon);
    }
}
