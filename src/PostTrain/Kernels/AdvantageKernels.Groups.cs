using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using TorchSharp;
using static TorchSharp.torch;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Kernels;

// Advantages of groups of completions.
public static unsafe partial class AdvantageKernels
{
    /// <summary>A_i = (r_i − mean of its group) / (std + ε), as <see cref="Advantages.GroupRelative"/>.</summary>
    /// <param name="rewards">[N], N a multiple of <paramref name="groupSize"/>.</param>
    /// <param name="groupSize">Completions per prompt, at least 1.</param>
    /// <param name="scaling">Kind of the divisor.</param>
    /// <param name="epsilon">ε, at least 0; 1e-4 by default.</param>
    /// <param name="scored">[N]; 1 where the completion has a reward, all of them when null. The others get 0.</param>
    /// <returns>[N].</returns>
    /// <exception cref="ArgumentException">The rewards are not whole groups.</exception>
    public static Tensor GroupRelative(
        Tensor rewards,
        int groupSize,
        GroupScaling scaling = GroupScaling.Group,
        double epsilon = 1e-4,
        Tensor? scored = null
    )
    {
        Guard.Rank(rewards, nameof(rewards), 1, "[N]");
        var type = KernelGuard.Number(rewards, nameof(rewards));
        Guard.AtLeast(groupSize, 1, nameof(groupSize));
        if (rewards.size(0) % groupSize != 0)
            throw new ArgumentException(
                $"rewards holds {rewards.size(0)} values, expected a multiple of groupSize, {groupSize}",
                nameof(rewards)
            );
        if (scored is not null)
            KernelGuard.SameShape(scored, nameof(scored), rewards, nameof(rewards));
        Guard.NotNegative(epsilon, nameof(epsilon));
        if (!Enum.IsDefined(scaling))
            throw new ArgumentOutOfRangeException(nameof(scaling), scaling, "expected Group, Batch or None");
        return type == ScalarType.Float32
            ? GroupRelative<float>(rewards, groupSize, scaling, epsilon, scored)
            : GroupRelative<double>(rewards, groupSize, scaling, epsilon, scored);
    }

    private static Tensor GroupRelative<T>(Tensor rewards, int groupSize, GroupScaling scaling, double epsilon, Tensor? scored)
        where T : unmanaged
    {
        var result = TensorMemory.Fresh(rewards);
        using var reward = new NumberSource<T>(rewards);
        using var counted = new NumberSource<T>(scored);
        T* r = reward.Pointer,
            m = counted.Pointer,
            advantages = TensorMemory.Address<T>(result);
        long count = rewards.size(0);
        double whole = scaling == GroupScaling.Batch ? Deviation(r, m, count, Moments(r, m, count)) + epsilon : 1;
        Workers.Run(
            count / groupSize,
            count,
            group =>
            {
                long start = group * groupSize;
                T* values = r + start,
                    mask = m == null ? null : m + start,
                    to = advantages + start;
                var moments = Moments(values, mask, groupSize);
                // Rounding leaves equal rewards a little off their mean, and a small deviation would blow that up.
                double divisor =
                    moments.Least == moments.Most ? 0
                    : scaling == GroupScaling.Group ? Deviation(values, mask, groupSize, moments) + epsilon
                    : whole;
                Write(values, mask, to, groupSize, moments.Mean, divisor);
            }
        );
        return result;
    }

    // Divides the centred values; by 0 they become 0.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Write<T>(T* values, T* mask, T* to, int groupSize, double mean, double divisor)
        where T : unmanaged
    {
        var (shift, scale) = (Vector256.Create(mean), Vector256.Create(divisor));
        for (int i = 0; i < groupSize; i += Lanes.Count)
        {
            long count = groupSize - i;
            var centred = (Lanes.Load(values + i, count) - shift) / scale;
            Lanes.Store(to + i, divisor == 0 ? V.Zero : Lanes.Where(Counted(mask, i, count), centred), count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (double Mean, double Number, double Least, double Most) Moments<T>(T* values, T* mask, long total)
        where T : unmanaged
    {
        V infinity = Vector256.Create(double.PositiveInfinity),
            sum = V.Zero,
            number = sum,
            least = infinity,
            most = -infinity;
        for (long i = 0; i < total; i += Lanes.Count)
        {
            var (x, counts) = (Lanes.Load(values + i, total - i), Counted(mask, i, total - i));
            sum += Lanes.Where(counts, x);
            number += Lanes.Where(counts, V.One);
            least = Vector256.MinNative(least, Vector256.ConditionalSelect(counts, x, infinity));
            most = Vector256.MaxNative(most, Vector256.ConditionalSelect(counts, x, -infinity));
        }
        double n = Vector256.Sum(number),
            mean = Vector256.Sum(sum) / Math.Max(n, 1);
        // The native minimum may lose a NaN; the mean does not.
        if (double.IsNaN(mean))
            return (mean, n, mean, mean);
        var (low, high) = (Vector128.MinNative(least.GetLower(), least.GetUpper()), Vector128.MaxNative(most.GetLower(), most.GetUpper()));
        return (mean, n, Math.Min(low[0], low[1]), Math.Max(high[0], high[1]));
    }

    // Divides by n − 1; 1 where there are not two values.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Deviation<T>(T* values, T* mask, long total, (double Mean, double Number, double Least, double Most) moments)
        where T : unmanaged
    {
        if (moments.Number <= 1)
            return 1;
        var (squares, mean) = (V.Zero, Vector256.Create(moments.Mean));
        for (long i = 0; i < total; i += Lanes.Count)
        {
            var centred = Lanes.Where(Counted(mask, i, total - i), Lanes.Load(values + i, total - i) - mean);
            squares += centred * centred;
        }
        return Math.Sqrt(Vector256.Sum(squares) / (moments.Number - 1));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Counted<T>(T* mask, long i, long count)
        where T : unmanaged => mask == null ? Lanes.First(count) : Lanes.NotZero(Lanes.Load(mask + i, count));
}
