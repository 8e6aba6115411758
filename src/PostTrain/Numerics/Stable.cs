using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>Functions of log-probabilities that stay finite, with their gradients, wherever the mathematical function does.</summary>
internal static class Stable
{
    internal const double ExponentCap = Operators.ScoreForm.ExponentCap;

    /// <summary>Computes log σ(x) = −softplus(−x).</summary>
    internal static Tensor LogSigmoid(Tensor x) => nn.functional.logsigmoid(x);

    /// <summary>Computes e^x up to x = 40 and the tangent at 40 beyond: no overflow, and the gradient does not vanish.</summary>
    internal static Tensor Exp(Tensor x)
    {
        using var scope = NewDisposeScope();
        var bounded = x.clamp_max(ExponentCap);
        return bounded.exp().mul(1 + Beyond(x)).MoveToOuterDisposeScope();
    }

    /// <summary>Computes e^x − 1 up to a cap and the tangent there beyond.</summary>
    internal static Tensor Expm1(Tensor x, double cap = ExponentCap)
    {
        using var scope = NewDisposeScope();
        var bounded = x.clamp_max(cap);
        return bounded.expm1().add(bounded.exp().mul(Beyond(x, cap))).MoveToOuterDisposeScope();
    }

    /// <summary>Computes log(1 − e^x) for x below 0 without cancellation on either side of −log 2 (Mächler 2012, "Accurately computing
    /// log(1 − exp(−|a|))").</summary>
    internal static Tensor Log1mExp(Tensor x)
    {
        using var scope = NewDisposeScope();
        var near = x > -Math.Log(2);
        // Each branch sees only arguments on its own side: the derivative of the other one would be 0·∞.
        var log = x.masked_fill(near.logical_not(), -0.5).expm1().neg().log();
        var log1p = x.masked_fill(near, -1).exp().neg().log1p();
        return where(near, log, log1p).MoveToOuterDisposeScope();
    }

    // Not x minus its clamped value, which would be NaN at −∞.
    private static Tensor Beyond(Tensor x, double cap = ExponentCap) => (x - cap).relu();
}
