using System.Runtime.InteropServices;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression;

/// <summary>What GPTQ and SparseGPT need of a Hessian: the upper Cholesky factor U of its damped inverse, H⁻¹ = UᵀU, whose rows hold the
/// inverses of the trailing parts of H.</summary>
internal static class InverseFactor
{
    /// <summary>Checks a Hessian for a weight of <paramref name="columns"/> columns.</summary>
    public static void Check(Tensor hessian, long columns)
    {
        Guard.Floating(hessian, nameof(hessian));
        if (!hessian.shape.SequenceEqual([columns, columns]))
            throw new ArgumentException(
                $"hessian has shape {Guard.Shape(hessian)}, expected [{columns}, {columns}] as the weight's columns",
                nameof(hessian)
            );
        using var scope = NewDisposeScope();
        if (!hessian.isfinite().all().ToBoolean())
            throw new ArgumentException("hessian holds NaN or an infinity, expected finite numbers", nameof(hessian));
    }

    /// <summary>The factor [n,n] of H + damping · mean(diag H) · I.</summary>
    /// <exception cref="ArgumentException">The damped matrix has no such factor.</exception>
    public static Tensor Of(Tensor hessian, double damping)
    {
        using var scope = NewDisposeScope();
        var h = hessian.clone();
        var diagonal = h.diagonal();
        diagonal.add_(diagonal.mean() * damping);
        try
        {
            var inverse = linalg.cholesky(h).cholesky_inverse();
            return linalg.cholesky(inverse).t().contiguous().MoveToOuterDisposeScope();
        }
        catch (ExternalException exception)
        {
            throw new ArgumentException(
                $"hessian has no Cholesky factor with a damping of {damping}: it is not symmetric and positive definite; give more damping",
                nameof(hessian),
                exception
            );
        }
    }
}
