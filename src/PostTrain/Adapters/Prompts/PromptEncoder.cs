using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Prompts;

/// <summary>
/// What the trainable rows of a soft prompt come from: the rows themselves (<see cref="PromptTable"/>), or a small network that makes them
/// while they are trained (<see cref="MlpPromptEncoder"/>, <see cref="LstmPromptEncoder"/>, <see cref="PrefixProjection"/>).
/// </summary>
/// <remarks>Only the rows are needed to use a trained prompt: <see cref="Fold"/> keeps them and drops the network, and gives the same
/// bits.</remarks>
public abstract class PromptEncoder : nn.Module
{
    /// <summary>Names the module and says what it makes.</summary>
    /// <param name="name">Name of the module.</param>
    /// <param name="length">Number of virtual tokens, n.</param>
    /// <param name="width">Numbers a virtual token has, W.</param>
    protected PromptEncoder(string name, int length, int width)
        : base(name)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        (Length, Width) = (length, width);
    }

    /// <summary>Number of virtual tokens, n.</summary>
    public int Length { get; }

    /// <summary>Numbers that a virtual token has, W: the model's hidden size for a prompt, 2 · layers · key-value heads · head size for a
    /// prefix.</summary>
    public int Width { get; }

    /// <summary>The rows, [n,W], differentiable in the encoder's parameters; a fresh tensor that the caller owns.</summary>
    public abstract Tensor Rows();

    /// <summary>The rows as they are now, in evaluation (without dropout), as a table of their own; the caller disposes it.</summary>
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
