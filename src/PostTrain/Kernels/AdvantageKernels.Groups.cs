using System.Numerics;
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
    // Groups that a thread computes together.
    private const int GroupsOfPart = 64;

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
        double whole = scaling == GroupScaling.Batch ? Deviation(r, m, count, Mean(r, m, count, out long all, out _), all) + epsilon : 1;
        long groups = count / groupSize;
        Workers.Run(
            (groups + GroupsOfPart - 1) / GroupsOfPart,
            count,
            part =>
            {
                long first = part * GroupsOfPart,
                    length = Math.Min(GroupsOfPart, groups - first) * groupSize;
                Groups(r + first * groupSize, m == null ? null : m + first * groupSize, advantages + first * groupSize, length);
            }
        );
        return result;

        // Three loops of short chains, which the processor overlaps from group to group.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        void Groups(T* values, T* mask, T* to, long length)
        {
            double* means = stackalloc double[GroupsOfPart],
                divisors = stackalloc double[GroupsOfPart];
            int group = 0;
            for (long start = 0; start < length; start += groupSize, group++)
            {
                means[group] = Mean(values + start, mask == null ? null : mask + start, groupSize, out long number, out bool equal);
                // Rounding leaves equal rewards a little off their mean, and a small deviation would blow that up.
                divisors[group] = equal ? 0 : number;
            }
            group = 0;
            for (long start = 0; start < length; start += groupSize, group++)
                if (scaling == GroupScaling.Group && divisors[group] > 0)
                    divisors[group] =
                        Deviation(values + start, mask == null ? null : mask + start, groupSize, means[group], (long)divisors[group])
                        + epsilon;
                else if (divisors[group] > 0)
                    divisors[group] = whole;
            group = 0;
            for (long start = 0; start < length; start += groupSize, group++)
                Write(values + start, mask == null ? null : mask + start, to + start, groupSize, means[group], divisors[group]);
        }
    }

    // The mean of those that count, their number, and whether they are equal.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double Mean<T>(T* values, T* mask, long total, out long number, out bool equal)
        where T : unmanaged
    {
        (V sum, V different, number) = (V.Zero, V.Zero, mask == null ? total : 0);
        long first = 0;
        while (mask != null && first < total - 1 && Scalars.Get(mask + first) == 0)
            first++;
        var one = Vector256.Create(total > 0 ? Scalars.Get(values + first) : 0);
        for (long i = 0; i < total; i += Lanes.Count)
        {
            var (x, counts) = (Lanes.Load(values + i, total - i), Counted(mask, i, total - i));
            if (mask != null)
                number += BitOperations.PopCount(Vector256.ExtractMostSignificantBits(counts));
            sum += Lanes.Where(counts, x);
            different |= Vector256.AndNot(counts, Vector256.Equals(x, one));
        }
        equal = Vector256.ExtractMostSignificantBits(different) == 0;
        return Vector256.Sum(sum) / Math.Max(number, 1);
    }

    // Divides by n − 1; 1 where there are not two values.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double Deviation<T>(T* values, T* mask, long total, double mean, long number)
        where T : unmanaged
    {
        if (number <= 1)
            return 1;
        var (squares, shift) = (V.Zero, Vector256.Create(mean));
        for (long i = 0; i < total; i += Lanes.Count)
        {
            var centred = Lanes.Where(Counted(mask, i, total - i), Lanes.Load(values + i, total - i) - shift);
            squares += centred * centred;
        }
        return Math.Sqrt(Vector256.Sum(squares) / (number - 1));
    }

    // Divides the centred values; by 0 they become 0.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write<T>(T* values, T* mask, T* to, int groupSize, double mean, double divisor)
        where T : unmanaged
    {
        var (shift, scale, factor) = (Vector256.Create(mean), Vector256.Create(divisor), Vector256.Create(1 / divisor));
        for (int i = 0; i < groupSize; i += Lanes.Count)
        {
            long count = groupSize - i;
            var centred = Lanes.Load(values + i, count) - shift;
            // The last bit of a float64 product is lost in float32.
            centred = typeof(T) == typeof(float) ? centred * factor : centred / scale;
            Lanes.Store(to + i, divisor == 0 ? V.Zero : Lanes.Where(Counted(mask, i, count), centred), count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Counted<T>(T* mask, long i, long count)
        where T : unmanaged =>
        mask != null ? Lanes.NotZero(Lanes.Load(mask + i, count))
        : count >= Lanes.Count ? V.AllBitsSet
        : Lanes.First(count);
}
