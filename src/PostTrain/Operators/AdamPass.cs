using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PostTrain.Operators;

/// <summary>An AdamW step over many tensors in one pass: each number of parameter, gradient and moments is read and written once.</summary>
internal static unsafe class AdamPass
{
    private const int PartLength = 1 << 16;

    /// <summary>Changes parameters, means and squares; the constants are one a tensor.</summary>
    internal static void Run<T>(
        MemoryList parameters,
        MemoryList gradients,
        MemoryList means,
        MemoryList squares,
        AdamConstants[] constants
    )
        where T : unmanaged, IFloatingPointIeee754<T> =>
        parameters.Run(
            PartLength,
            (index, start, length) =>
                Part(
                    parameters.At<T>(index) + start,
                    gradients.At<T>(index) + start,
                    means.At<T>(index) + start,
                    squares.At<T>(index) + start,
                    length,
                    constants[index]
                )
        );

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Part<T>(T* p, T* g, T* m, T* v, int length, in AdamConstants constants)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T keep = T.CreateTruncating(constants.Keep),
            rate = T.CreateTruncating(constants.Rate);
        T mixing = T.CreateTruncating(constants.Mixing),
            decay = T.CreateTruncating(constants.Decay),
            adding = T.CreateTruncating(constants.Adding);
        T root = T.CreateTruncating(1 / constants.Root),
            epsilon = T.CreateTruncating(constants.Epsilon),
            coupling = T.CreateTruncating(constants.Coupling);
        bool coupled = constants.Coupling != 0;
        int i = 0;
        for (; i <= length - Vector256<T>.Count; i += Vector256<T>.Count)
        {
            var gradient = Vector256.Load(g + i);
            if (coupled)
                gradient += Vector256.Load(p + i) * coupling;
            var mean = Vector256.Load(m + i);
            mean += (gradient - mean) * mixing;
            var square = Vector256.Load(v + i) * decay + gradient * gradient * adding;
            mean.Store(m + i);
            square.Store(v + i);
            var denominator = Vector256.Sqrt(square) * root + Vector256.Create(epsilon);
            (Vector256.Load(p + i) * keep - mean / denominator * rate).Store(p + i);
        }
        for (; i < length; i++)
        {
            var gradient = coupled ? g[i] + p[i] * coupling : g[i];
            m[i] += (gradient - m[i]) * mixing;
            v[i] = v[i] * decay + gradient * gradient * adding;
            p[i] = p[i] * keep - m[i] / (T.Sqrt(v[i]) * root + epsilon) * rate;
        }
    }
}
