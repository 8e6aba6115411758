using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PostTrain.Operators;

/// <summary>Constants of a step of gradient descent: g + λθ, b ← μb + g, θ ← θ − η·b, or θ − η(g + μb).</summary>
internal readonly record struct DescentConstants(double Rate, double Decay, double Momentum, bool Nesterov);

/// <summary>A step of gradient descent over many tensors in one pass: each number is read and written once.</summary>
internal static unsafe class DescentPass
{
    private const int PartLength = 1 << 16;

    /// <summary>Changes parameters and buffers; the constants are one a tensor.</summary>
    internal static void Run<T>(MemoryList parameters, MemoryList gradients, MemoryList? buffers, DescentConstants[] constants)
        where T : unmanaged, IFloatingPointIeee754<T> =>
        parameters.Run(
            PartLength,
            (index, start, length) =>
            {
                T* p = parameters.At<T>(index) + start,
                    g = gradients.At<T>(index) + start;
                if (buffers is null)
                    Part(p, g, length, constants[index]);
                else
                    Part(p, g, buffers.At<T>(index) + start, length, constants[index]);
            }
        );

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Part<T>(T* p, T* g, int length, in DescentConstants constants)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T rate = T.CreateTruncating(constants.Rate),
            decay = T.CreateTruncating(constants.Decay);
        int i = 0;
        for (; i <= length - Vector256<T>.Count; i += Vector256<T>.Count)
        {
            var parameter = Vector256.Load(p + i);
            (parameter - (Vector256.Load(g + i) + parameter * decay) * rate).Store(p + i);
        }
        for (; i < length; i++)
            p[i] -= (g[i] + p[i] * decay) * rate;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Part<T>(T* p, T* g, T* b, int length, in DescentConstants constants)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T rate = T.CreateTruncating(constants.Rate),
            decay = T.CreateTruncating(constants.Decay),
            momentum = T.CreateTruncating(constants.Momentum),
            // Of the gradient and of the buffer in the step.
            direct = constants.Nesterov ? T.One : T.Zero,
            kept = constants.Nesterov ? momentum : T.One;
        int i = 0;
        for (; i <= length - Vector256<T>.Count; i += Vector256<T>.Count)
        {
            var parameter = Vector256.Load(p + i);
            var gradient = Vector256.Load(g + i) + parameter * decay;
            var buffer = Vector256.Load(b + i) * momentum + gradient;
            buffer.Store(b + i);
            (parameter - (gradient * direct + buffer * kept) * rate).Store(p + i);
        }
        for (; i < length; i++)
        {
            var gradient = g[i] + p[i] * decay;
            b[i] = b[i] * momentum + gradient;
            p[i] -= (gradient * direct + b[i] * kept) * rate;
        }
    }
}
