using System.Numerics;
using PostTrain.Operators;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>A linear layer as memory: y = x Wᵀ + b for some of its outputs.</summary>
internal sealed unsafe class StepLinear<T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private readonly nn.Module<Tensor, Tensor> module;
    private readonly ForwardHooks hooks;
    private readonly StepParameter<T> weight;
    private readonly StepParameter<T> bias;

    private StepLinear(nn.Module<Tensor, Tensor> module, ForwardHooks hooks, StepParameter<T> weight, StepParameter<T> bias, Tensor matrix)
    {
        (this.module, this.hooks, this.weight, this.bias) = (module, hooks, weight, bias);
        (Outputs, Inputs) = ((int)matrix.size(0), (int)matrix.size(1));
    }

    /// <summary>Width of a row of y.</summary>
    public int Outputs { get; }

    /// <summary>Width of a row of x.</summary>
    public int Inputs { get; }

    /// <summary>Row <paramref name="index"/> of W.</summary>
    public T* Row(long index) => weight.Address + index * Inputs;

    /// <summary>A plain layer without hooks, or the product with an embedding; null for every other one.</summary>
    public static StepLinear<T>? Of(nn.Module<Tensor, Tensor> module)
    {
        if (Parts(module) is not { } parts || ForwardHooks.Of(module) is not { Any: false } hooks)
            return null;
        var fits = true;
        var (weight, bias) = (StepParameter<T>.Of(parts.Weight, ref fits), StepParameter<T>.Of(parts.Bias, ref fits));
        return fits ? new StepLinear<T>(module, hooks, weight, bias, parts.Weight) : null;
    }

    /// <summary>True if the layer is still <paramref name="now"/>, with the same memory and without hooks.</summary>
    public bool IsCurrent(nn.Module<Tensor, Tensor> now) =>
        ReferenceEquals(module, now) && !hooks.Any && Parts(module) is { } parts && weight.IsOf(parts.Weight) && bias.IsOf(parts.Bias);

    /// <summary>Writes the outputs from <paramref name="first"/> on of some rows.</summary>
    /// <param name="rows">Rows of x and y.</param>
    /// <param name="first">Number of the first output.</param>
    /// <param name="count">Number of outputs.</param>
    /// <param name="x">[rows,Inputs].</param>
    /// <param name="y">Output 0 of row 0.</param>
    /// <param name="yRow">From row to row.</param>
    /// <param name="add">Whether y has numbers already, to which the outputs are added.</param>
    public void Run(int rows, int first, int count, T* x, T* y, nint yRow, bool add)
    {
        y += first;
        if (bias.Address != null)
        {
            for (var row = 0; row < rows; row++)
            for (var i = 0; i < count; i++)
                y[row * yRow + i] = add ? y[row * yRow + i] + bias.Address[first + i] : bias.Address[first + i];
        }
        RowProduct.Run(rows, count, Inputs, x, Inputs, Row(first), Inputs, y, yRow, add || bias.Address != null);
    }

    private static (Parameter Weight, Parameter? Bias)? Parts(nn.Module<Tensor, Tensor> module) =>
        module switch
        {
            Linear { weight: { } weight } linear => (weight, linear.bias),
            TiedProjection { IsPlain: true } tied => (tied.Weight, null),
            TokenEmbedding { Packed: null } table => (table.Weight, null),
            _ => null,
        };
}
