using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Prompts;

/// <summary>
/// The source of a soft prompt's trainable rows: the rows themselves (<see cref="PromptTable"/>), or a small network that computes them
/// during training (<see cref="MlpPromptEncoder"/>, <see cref="LstmPromptEncoder"/>, <see cref="PrefixProjection"/>).
/// </summary>
/// <remarks>A trained prompt needs only the rows: <see cref="Fold"/> keeps them, drops the network, and gives the same bits.</remarks>
public abstract class PromptEncoder : nn.Module
{
    /// <summary>Sets name, length and width.</summary>
    /// <param name="name">Name of the module.</param>
    /// <param name="length">Number of virtual tokens, n.</param>
    /// <param name="width">Width of a virtual token, W.</param>
    protected PromptEncoder(string name, int length, int width)
        : base(name)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        (Length, Width) = (length, width);
    }

    /// <summary>Number of virtual tokens, n.</summary>
    public int Length { get; }

    /// <summary>Width of a virtual token, W: the model's hidden size for a prompt, 2 · layers · key-value heads · head size for a
    /// prefix.</summary>
    public int Width { get; }

    /// <summary>Computes the rows, [n,W], differentiable in the encoder's parameters; a fresh tensor owned by the caller.</summary>
    public abstract Tensor Rows();

    /// <summary>Returns the current rows, computed in evaluation mode (without dropout), as a table that the caller disposes.</summary>
    public PromptTable Fold()
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var training = this.training;
        eval();
        var rows = Rows();
        train(training);
        return new PromptTable(rows);
    }
}
