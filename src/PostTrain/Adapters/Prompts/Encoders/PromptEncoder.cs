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

    /// <summary>Returns an encoder that trains this network from given rows on: R + f(θ) − f(θ₀) with R the rows of
    /// <paramref name="start"/> and f(θ₀) this encoder's present rows, both constant.</summary>
    /// <remarks>The rows of a fresh network are unlike any token's embedding, and a prompt trained from there ends more often in a poor
    /// minimum. With <see cref="PromptTable.FromTokens"/> as start the model begins with its results for that text, bit for bit. The
    /// parameters and their gradients are this encoder's; the papers do not have the constants. <see cref="Fold"/> includes them.</remarks>
    /// <param name="start">Rows of this encoder's length and width, copied.</param>
    /// <returns>The encoder, which owns this one: dispose only the returned one, or the model that it is given to.</returns>
    /// <exception cref="ArgumentException">The table has another length or width.</exception>
    public PromptEncoder StartingAt(PromptTable start)
    {
        ArgumentNullException.ThrowIfNull(start);
        if (start.Length != Length || start.Width != Width)
            throw new ArgumentException(
                $"start has {start.Length} rows of width {start.Width}, expected {Length} of width {Width}, as this encoder.",
                nameof(start)
            );
        return new StartedPromptEncoder(this, start.Weight);
    }

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
