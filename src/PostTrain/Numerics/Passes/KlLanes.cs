using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using PostTrain.Operators;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Numerics;

/// <summary>Estimates of the divergence from a reference with their slopes, four tokens at a time.</summary>
internal static class KlLanes
{
    /// <summary>Returns the value of −d at which k3 continues as its tangent, by the type in memory as in <see
    /// cref="KlDivergence"/>.</summary>
    internal static V Cap<T>()
        where T : unmanaged => Vector256.Create(typeof(T) == typeof(double) ? KlDivergence.DoubleCap : Stable.ExponentCap);

    /// <summary>The estimate at d = log π − log π_ref and its derivative.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Of(KlEstimator estimator, V difference, V cap, out V estimate, out V slope)
    {
        switch (estimator)
        {
            case KlEstimator.K1:
                (estimate, slope) = (difference, V.One);
                break;
            case KlEstimator.K1StraightThrough:
                (estimate, slope) = (difference, difference);
                break;
            case KlEstimator.K2:
                (estimate, slope) = (difference * difference * 0.5, difference);
                break;
            case KlEstimator.Absolute:
                estimate = Vector256.Abs(difference);
                slope = Vector256.ConditionalSelect(
                    Vector256.GreaterThan(difference, V.Zero),
                    V.One,
                    Vector256.ConditionalSelect(Vector256.LessThan(difference, V.Zero), -V.One, difference)
                );
                break;
            default:
                estimate = Lanes.ExpM1(-difference, cap, out _, out var minusOne) + difference;
                slope = estimator == KlEstimator.K3 ? -minusOne : difference;
                break;
        }
    }
}
