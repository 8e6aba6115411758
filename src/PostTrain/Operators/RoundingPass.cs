using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TorchSharp;

namespace PostTrain.Operators;

/// <summary>Numbers of many tensors from bfloat16 to float32 and back, in one pass over all of them.</summary>
internal static unsafe class RoundingPass
{
    private const int PartLength = 1 << 15;

    /// <summary>float32 ← bfloat16.</summary>
    internal static void Widen(MemoryList from, MemoryList to) =>
        to.Run(
            PartLength,
            (index, start, length) => Copy<BFloat16, float>(from.At<BFloat16>(index) + start, to.At<float>(index) + start, length)
        );

    /// <summary>float32 ← float32 + bfloat16.</summary>
    internal static void Add(MemoryList from, MemoryList to) =>
        to.Run(
            PartLength,
            (index, start, length) =>
                Add(from.At<BFloat16>(index) + start, to.At<float>(index) + start, to.At<float>(index) + start, length)
        );

    /// <summary>bfloat16 ← float32, each number rounded to the nearest.</summary>
    internal static void Round(MemoryList from, MemoryList to) =>
        to.Run(
            PartLength,
            (index, start, length) => Copy<float, BFloat16>(from.At<float>(index) + start, to.At<BFloat16>(index) + start, length)
        );

    /// <summary>to ← x + y in bfloat16, rounded once.</summary>
    internal static void Add(BFloat16* x, float* y, BFloat16* to, long count) =>
        Workers.Run(
            (count + PartLength - 1) / PartLength,
            count,
            part =>
            {
                long start = part * PartLength;
                Add(x + start, y + start, to + start, (int)Math.Min(PartLength, count - start));
            }
        );

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Copy<TFrom, TTo>(TFrom* from, TTo* to, int length)
        where TFrom : unmanaged
        where TTo : unmanaged
    {
        for (int i = 0; i < length; i += Vector256<float>.Count)
            Stored.Store(to + i, Stored.Load<float, TFrom>(from + i, length - i), length - i);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add<S>(BFloat16* x, float* y, S* to, int length)
        where S : unmanaged
    {
        for (int i = 0; i < length; i += Vector256<float>.Count)
        {
            var sum = Stored.Load<float, BFloat16>(x + i, length - i) + VectorMath.Load(y + i, length - i);
            Stored.Store(to + i, sum, length - i);
        }
    }
}
