using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Support;

/// <summary>Compares the gradients of a scalar function with central differences (f(x + h) − f(x − h)) / 2h in float64.</summary>
internal static class GradientCheck
{
    private const double Step = 1e-5;

    // Truncation h²·f‴/6 ≈ 2e-11·f‴ and rounding 1e-16·f/h ≈ 1e-11·f: 1e-8 leaves room for third derivatives of some hundreds.
    private const double Tolerance = 1e-8;

    /// <summary>Checks every element of every input.</summary>
    /// <param name="function">From the inputs, in their order, to a scalar.</param>
    /// <param name="inputs">Float64, away from points where the function has a kink.</param>
    internal static void Run(Func<Tensor[], Tensor> function, params Tensor[] inputs)
    {
        using var scope = NewDisposeScope();
        var leaves = Array.ConvertAll(
            inputs,
            input =>
            {
                Assert.Equal(ScalarType.Float64, input.dtype);
                return input.detach().clone().requires_grad_(true);
            }
        );
        function(leaves).backward();
        for (int k = 0; k < inputs.Length; k++)
        {
            var gradient = leaves[k].grad;
            Assert.False(gradient is null, $"input {k} has no gradient");
            var analytic = Numbers.Values(gradient!);
            for (int i = 0; i < analytic.Length; i++)
            {
                double numeric = (At(function, inputs, k, i, Step) - At(function, inputs, k, i, -Step)) / (2 * Step);
                Assert.True(
                    Math.Abs(analytic[i] - numeric) <= Tolerance * (1 + Math.Abs(numeric)),
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"input {k}, element {i}: gradient {analytic[i]:R}, differences give {numeric:R}"
                    )
                );
            }
        }
    }

    private static double At(Func<Tensor[], Tensor> function, Tensor[] inputs, int which, int element, double shift)
    {
        using var scope = NewDisposeScope();
        var moved = Array.ConvertAll(inputs, input => input.detach().clone());
        moved[which].view(-1)[element] += shift;
        return function(moved).ToDouble();
    }
}
