using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using PostTrain.Numerics;
using PostTrain.Operators;

namespace PostTrain.Policy.Losses;

/// <summary>The two loops of <see cref="PolicyRow{T, TForm}"/> that exponentials fill, sixteen tokens in float32 at a time where the
/// processor has such vectors, in the same operations.</summary>
internal static unsafe class WidePolicyRow
{
    private static int Count => Vector512<float>.Count;

    private static bool IsTaken => Vector512.IsHardwareAccelerated && Avx512F.IsSupported;

    /// <summary>Ratios into the memory of the gradients; returns the place behind the last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static long Ratios(
        in PolicyMemory<float> memory,
        long start,
        long end,
        out Vector256<float> beyond,
        out Vector256<float> oldKl
    )
    {
        Vector512<float> bound = Vector512.Create((float)KlDivergence.RatioBound),
            outside = Vector512<float>.Zero,
            rests = outside;
        long i = start;
        for (; IsTaken && i <= end - Count; i += Count)
        {
            var difference = (Vector512.Load(memory.LogProbs + i) - Vector512.Load(memory.OldLogProbs + i)) & memory.Mask.CountedSixteen(i);
            outside |= Vector512.GreaterThan(Vector512.Abs(difference), bound);
            // The second operand of the native minimum and maximum is the result where one is NaN.
            var bounded = Vector512.MinNative(bound, Vector512.MaxNative(-bound, difference));
            VectorMath.ExpWithin(bounded, out _, out var rest).Store(memory.Gradient + i);
            rests += rest;
        }
        beyond = outside.GetLower() | outside.GetUpper();
        oldKl = rests.GetLower() + rests.GetUpper();
        return i;
    }

    /// <summary>Adds β·k3 and its gradient; returns the place behind the last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static long Penalise(in PolicyMemory<float> memory, long start, long end, float beta, float scaledBeta, out double sum)
    {
        Vector512<float> cap = Vector512.Create((float)KlLanes.Cap<float>()),
            least = Vector512.Create(-87f);
        var (lower, upper) = (Vector512<double>.Zero, Vector512<double>.Zero);
        long i = start;
        for (; IsTaken && i <= end - Count; i += Count)
        {
            var x = (Vector512.Load(memory.Reference + i) - Vector512.Load(memory.LogProbs + i)) & memory.Mask.CountedSixteen(i);
            var inside = Vector512.MinNative(cap, Vector512.MaxNative(least, x));
            VectorMath.ExpWithin(inside, out var slope, out var rest);
            var estimate = Vector512.FusedMultiplyAdd(slope, x - inside, rest);
            var (low, high) = Vector512.Widen(estimate);
            (lower, upper) = (lower + low, upper + high);
            (Vector512.Load(memory.Losses + i) + estimate * beta).Store(memory.Losses + i);
            (Vector512.Load(memory.Gradient + i) - slope * scaledBeta).Store(memory.Gradient + i);
        }
        sum = Vector512.Sum(lower + upper);
        return i;
    }
}
