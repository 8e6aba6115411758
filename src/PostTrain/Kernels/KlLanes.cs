using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using PostTrain.Numerics;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Kernels;

/// <summary>Estimates of the divergence from a reference with their slopes, four tokens at a time.</summary>
internal static class KlLanes
{
    /// <summary>The estimate at d = log π − log π_ref and its derivative.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Of(KlEstimator estimator, V difference, out V estimate, out V slope)
    {
        switch (estimator)
        {
            case KlEstimator.K1:
                (estimate, slope) = (difference, V.One);
                break;
            case KlEstimator.K2:
                (estimate, slope) = (difference * difference * 0.5, difference);
                break;
            case KlEstimator.Absolute:
                estimate = Vector256.Abs(difference);
                slope = Vector256.ConditionalSelect(Vector256.GreaterThan(difference, V.Zero), V.One,
                    Vector256.ConditionalSelect(Vector256.LessThan(difference, V.Zero), -V.One, difference));
                break;
            default:
                Lanes.Exp(-difference, out var lower);
                estimate = lower + difference;
                slope = estimator == KlEstimator.K3 ? -lower : difference;
                break;
        }
    }
}
