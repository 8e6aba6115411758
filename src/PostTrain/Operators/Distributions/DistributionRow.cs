using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PostTrain.Operators;

/// <summary>Statistics of a row of logits that losses use, and the row's gradient for given gradients of all of them.</summary>
internal static unsafe class DistributionRow
{
    /// <summary>The numbers of a row: log π of the token, the mean of log π over the vocabulary, log Σ exp z, the entropy, whether the
    /// token has the greatest logit.</summary>
    internal readonly record struct Facts(double LogProb, double Mean, double LogSum, double Entropy, bool IsHit);

    /// <summary>Gradients of the facts.</summary>
    internal readonly record struct Signals(double LogProb, double Mean, double LogSum, double Entropy);

    /// <summary>Reads the row three times: greatest, sums, mean.</summary>
    internal static Facts Read<T>(T* z, int width, long token)
        where T : unmanaged
    {
        double max = SoftmaxRow.Max(z, width),
            sum = SoftmaxRow.Sum(z, max, width, (T*)null, true, out var cross),
            log = Math.Log(sum);
        return new(
            Scalars.Get(z + token) - max - log,
            SoftmaxRow.Mean(z, width) - max - log,
            max + log,
            log - cross / sum,
            SoftmaxRow.IsFirst(z, max, token)
        );
    }

    /// <summary>Replaces the logits by their gradient: with π the softmax, π(s − l − m − h(log π + H)) + m/V, and l more at the token, for
    /// the signals l, m, s, h.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Replace<T>(T* z, int width, long token, in Signals signals)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        double max = SoftmaxRow.Max(z, width),
            sum = SoftmaxRow.Sum(z, max, width, (T*)null, signals.Entropy != 0, out var cross),
            log = Math.Log(sum),
            entropy = log - cross / sum;
        // π·(first + slope·(z − max)), where log π = z − max − log.
        double first = signals.LogSum - signals.LogProb - signals.Mean - (signals.Entropy == 0 ? 0 : signals.Entropy * (entropy - log));
        Vector256<T> shift = Vector256.Create(VectorMath.Number<T>(max)),
            constant = Vector256.Create(VectorMath.Number<T>(first / sum)),
            slope = Vector256.Create(VectorMath.Number<T>(-signals.Entropy / sum)),
            spread = Vector256.Create(VectorMath.Number<T>(signals.Mean / width));
        for (int i = 0; i < width; i += Vector256<T>.Count)
        {
            var distance = VectorMath.Load(z + i, width - i) - shift;
            var exponential = VectorMath.ExpOfNegative(distance);
            var factor = constant;
            if (signals.Entropy != 0)
            {
                // 0·(−∞) is 0 here.
                distance = Vector256.ConditionalSelect(Vector256.Equals(exponential, Vector256<T>.Zero), Vector256<T>.Zero, distance);
                factor = VectorMath.MultiplyAdd(slope, distance, constant);
            }
            VectorMath.Store(z + i, VectorMath.MultiplyAdd(exponential, factor, spread), width - i);
        }
        z[token] += VectorMath.Number<T>(signals.LogProb);
    }
}
