using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PostTrain.Operators;

/// <summary>One row of logits: the log-probability of a token, and its gradient.</summary>
internal static unsafe class LogProbRow
{
    /// <summary>log π(token) = z_token − log Σ exp z, the greatest logit, Σ exp(z − greatest), and whether the token has the greatest
    /// logit; the exponentials go to <paramref name="to"/> unless it is null, which may be the logits' own place.</summary>
    internal static (double LogProb, double Max, double Sum, bool IsHit) Forward<T>(T* z, int width, long token, T* to = null)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        var max = SoftmaxRow.Max(z, width);
        double own = Scalars.Get(z + token);
        bool isHit = SoftmaxRow.IsFirst(z, max, token);
        var sum = SoftmaxRow.Sum(z, max, width, to, false, out _);
        return (own - max - Math.Log(sum), max, sum, isHit);
    }

    /// <summary>Writes g·(δ_token − π).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Backward<T>(T* z, int width, long token, T max, T sum, T g, T* to)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        Vector256<T> shift = Vector256.Create(max),
            factor = Vector256.Create(-g / sum);
        for (int i = 0; i < width; i += Vector256<T>.Count)
        {
            var weight = VectorMath.ExpOfNegative(VectorMath.Load(z + i, width - i) - shift);
            VectorMath.Store(to + i, weight * factor, width - i);
        }
        to[token] += g;
    }

    /// <summary>Refuses a counted target that is no token.</summary>
    /// <exception cref="ArgumentException">It is not in 0..V−1.</exception>
    internal static void CheckTargets<T>(long* targets, long rows, long width, bool masked, MaskPointer<T> mask)
        where T : unmanaged
    {
        for (long row = 0; row < rows; row++)
        {
            if ((ulong)targets[row] >= (ulong)width && (!masked || mask.Get(row) != 0))
                throw new ArgumentException(
                    $"targets holds {targets[row]}, expected token ids in 0..{width - 1} where the mask counts",
                    nameof(targets)
                );
        }
    }
}
