using System.Numerics;
using PostTrain.Operators;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>A layer y = x Wᵀ + b, as memory of which some outputs can be computed; a layer with hooks or of another kind is called
/// instead.</summary>
internal sealed unsafe class StepLinear<T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private readonly nn.Module<Tensor, Tensor> module;
    private readonly ForwardHooks? hooks;
    private readonly StepParameter<T> weight;
    private readonly StepParameter<T> bias;

    private StepLinear(nn.Module<Tensor, Tensor> module, ForwardHooks? hooks, int inputs, int outputs)
    {
        (this.module, this.hooks) = (module, hooks);
        (Inputs, Outputs) = (inputs, outputs);
    }

    private StepLinear(nn.Module<Tensor, Tensor> module, ForwardHooks hooks, StepParameter<T> weight, StepParameter<T> bias, Tensor matrix)
        : this(module, hooks, (int)matrix.size(1), (int)matrix.size(0)) => (this.weight, this.bias) = (weight, bias);

    /// <summary>Width of a row of x.</summary>
    public int Inputs { get; }

    /// <summary>Width of a row of y.</summary>
    public int Outputs { get; }

    /// <summary>True if the layer is called: all outputs at once, and on the calling thread.</summary>
    public bool IsCall => weight.Address == null;

    /// <summary>Row <paramref name="index"/> of W.</summary>
    public T* Row(long index) => weight.Address + index * Inputs;

    /// <summary>A plain layer without hooks, or the product with an embedding; null for every other one.</summary>
    public static StepLinear<T>? Plain(nn.Module<Tensor, Tensor> module)
    {
        if (Parts(module) is not { } parts || ForwardHooks.Of(module) is not { Any: false } hooks)
            return null;
        var fits = true;
        var (weight, bias) = (StepParameter<T>.Of(parts.Weight, ref fits), StepParameter<T>.Of(parts.Bias, ref fits));
        return fits ? new StepLinear<T>(module, hooks, weight, bias, parts.Weight) : null;
    }

    /// <summary>Any layer from <paramref name="inputs"/> to <paramref name="outputs"/> numbers.</summary>
    public static StepLinear<T> Of(nn.Module<Tensor, Tensor> module, int inputs, int outputs) =>
        Plain(module) is { } plain && plain.Inputs == inputs && plain.Outputs == outputs
            ? plain
            : new StepLinear<T>(module, ForwardHooks.Of(module), inputs, outputs);

    /// <summary>True if the layer is still <paramref name="now"/>; where it is memory, the same memory and without hooks.</summary>
    public bool IsCurrent(nn.Module<Tensor, Tensor> now) =>
        ReferenceEquals(module, now)
        && (
            IsCall
                ? hooks is not { Any: false } || Parts(module) is null
                : hooks is { Any: false } && Parts(module) is { } parts && weight.IsOf(parts.Weight) && bias.IsOf(parts.Bias)
        );

    /// <summary>Writes the outputs from <paramref name="first"/> on of some rows.</summary>
    /// <param name="rows">Rows of x and y.</param>
    /// <param name="first">Number of the first output; 0 for a layer that is called.</param>
    /// <param name="count">Number of outputs; all for a layer that is called.</param>
    /// <param name="x">[rows,Inputs].</param>
    /// <param name="y">Output 0 of row 0.</param>
    /// <param name="yRow">From row to row.</param>
    /// <param name="add">Whether y has numbers already, to which the outputs are added.</param>
    public void Run(int rows, int first, int count, T* x, T* y, nint yRow, bool add)
    {
        if (IsCall)
        {
            Call(rows, x, y, yRow, add);
            return;
        }
        y += first;
        if (bias.Address != null)
        {
            for (var row = 0; row < rows; row++)
                RowProduct.Shift(y + row * yRow, bias.Address + first, count, add);
        }
        RowProduct.Run(rows, count, Inputs, x, Inputs, Row(first), Inputs, y, yRow, add || bias.Address != null);
    }

    private void Call(int rows, T* x, T* y, nint yRow, bool add)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var given = empty(rows, 1, Inputs, dtype: TensorMemory.TypeOf<T>());
        new ReadOnlySpan<T>(x, rows * Inputs).CopyTo(new Span<T>(TensorMemory.Address<T>(given), rows * Inputs));
        var found = module.call(given).to(TensorMemory.TypeOf<T>()).contiguous();
        if (found.numel() != (long)rows * Outputs)
            throw new InvalidOperationException(
                $"{module.GetName()} gave the shape [{string.Join(",", found.shape)}] for [{rows},1,{Inputs}], "
                    + $"expected [{rows},1,{Outputs}]."
            );
        T* from = TensorMemory.Address<T>(found);
        for (var row = 0; row < rows; row++)
            RowProduct.Shift(y + row * yRow, from + (long)row * Outputs, Outputs, add);
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
