using PostTrain.Numerics;
using PostTrain.Operators;
using static TorchSharp.torch;

namespace PostTrain.Kernels;

/// <summary>Puts the result of a kernel into an autograd graph.</summary>
public static class Kernel
{
    /// <summary>Makes a scalar tensor whose backward pass gives each input its given gradient, times the gradient of the scalar.</summary>
    /// <remarks>First derivatives only: the gradients are constants of the graph. Inputs without <c>requires_grad</c> get none.</remarks>
    /// <param name="value">The loss.</param>
    /// <param name="parts">Each input that the loss depends on, and d loss/d input of the same shape; at least one.</param>
    /// <returns>A scalar of the first input's type, with a graph where an input has one.</returns>
    /// <exception cref="ArgumentException">There is no input, or a gradient's shape is not its input's.</exception>
    public static Tensor Attach(double value, params (Tensor Input, Tensor Gradient)[] parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        if (parts.Length == 0)
            throw new ArgumentException("parts is empty, expected at least one input with its gradient", nameof(parts));
        foreach (var (input, gradient) in parts)
            KernelGuard.SameShape(gradient, "gradient", input, "input");
        return GivenGradient.Attach(value, Array.ConvertAll(parts, part => (part.Input, (Tensor?)part.Gradient)));
    }
}
