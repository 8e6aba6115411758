using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using PostTrain.Operators;

namespace PostTrain.Numerics;

/// <summary>Estimates of the divergence from a reference with their slopes, a vector of tokens at a time.</summary>
internal static class KlLanes
{
    /// <summary>Returns the value of −d at which k3 continues as its tangent, by the type in memory as in <see
    /// cref="KlDivergence"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static double Cap<T>()
        where T : unmanaged => typeof(T) == typeof(double) ? KlDivergence.DoubleCap : Stable.ExponentCap;

    /// <summary>The estimate at d = log π − log π_ref and its derivative.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Of<T>(KlEstimator estimator, Vector256<T> difference, out Vector256<T> estimate, out Vector256<T> slope)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        switch (estimator)
        {
            case KlEstimator.K3 or KlEstimator.K3StraightThrough:
                estimate = Rest(-difference, out var minusOne);
                slope = estimator == KlEstimator.K3 ? -minusOne : difference;
                break;
            case KlEstimator.K1:
                (estimate, slope) = (difference, Vector256<T>.One);
                break;
            case KlEstimator.K1StraightThrough:
                (estimate, slope) = (difference, difference);
                break;
            case KlEstimator.K2:
                (estimate, slope) = (difference * difference * VectorMath.Number<T>(0.5), difference);
                break;
            default:
                estimate = Vector256.Abs(difference);
                slope = Vector256.ConditionalSelect(
                    Vector256.GreaterThan(difference, Vector256<T>.Zero),
                    Vector256<T>.One,
                    Vector256.ConditionalSelect(Vector256.LessThan(difference, Vector256<T>.Zero), -Vector256<T>.One, difference)
                );
                break;
        }
    }

    /// <summary>e^x − 1 − x up to the cap and the tangent there beyond, and its derivative, with their digits near 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<T> Rest<T>(Vector256<T> x, out Vector256<T> slope)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        // The second operand of the native minimum and maximum is the result where one is NaN. Below −87 the tangent is the function.
        var inside = Vector256.MinNative(VectorMath.All<T>(Cap<T>()), Vector256.MaxNative(VectorMath.All<T>(-87), x));
        VectorMath.ExpWithin(inside, out slope, out var rest);
        return VectorMath.MultiplyAdd(slope, x - inside, rest);
    }
}
