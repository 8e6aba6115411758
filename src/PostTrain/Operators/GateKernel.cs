using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PostTrain.Operators;

/// <summary>y = a(x)·u, u = 1 where there is none, with a(x) = x·σ(z): z = x is SiLU, z = 2√(2/π)(x + 0.044715 x³) the tanh approximation
/// of GELU; and its gradient.</summary>
internal static unsafe class GateKernel
{
    private const int PartLength = 1 << 14;

    private static readonly double Linear = 2 * Math.Sqrt(2 / Math.PI);
    private static readonly double Cubic = Linear * 0.044715;

    /// <summary>Writes the result, [rows,width] of consecutive numbers.</summary>
    /// <param name="x">Rows of the gate.</param>
    /// <param name="u">Rows of the factor; null for 1.</param>
    /// <param name="step">From row to row of both.</param>
    /// <param name="y">The result.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="width">Numbers of a row.</param>
    /// <param name="gelu">GELU, otherwise SiLU.</param>
    internal static void Forward<T>(T* x, T* u, long step, T* y, long rows, int width, bool gelu)
        where T : unmanaged, IFloatingPointIeee754<T> =>
        Run(
            rows,
            width,
            row =>
            {
                T* from = x + row * step,
                    factor = u == null ? null : u + row * step,
                    to = y + row * width;
                for (int i = 0; i < width; i += Vector256<T>.Count)
                {
                    var a = VectorMath.Load(from + i, width - i);
                    var result = a * VectorMath.Sigmoid(gelu ? Inner(a, out _) : a);
                    if (factor != null)
                        result *= VectorMath.Load(factor + i, width - i);
                    VectorMath.Store(to + i, result, width - i);
                }
            }
        );

    /// <summary>∂x = g·u·a′(x) and ∂u = g·a(x).</summary>
    /// <param name="x">Rows of the gate.</param>
    /// <param name="u">Rows of the factor; null for 1.</param>
    /// <param name="step">From row to row of both, and of their gradients.</param>
    /// <param name="g">Gradient of the result, consecutive.</param>
    /// <param name="dx">Gradient of the gate.</param>
    /// <param name="du">Gradient of the factor; null where there is none.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="width">Numbers of a row.</param>
    /// <param name="gelu">GELU, otherwise SiLU.</param>
    internal static void Backward<T>(T* x, T* u, long step, T* g, T* dx, T* du, long rows, int width, bool gelu)
        where T : unmanaged, IFloatingPointIeee754<T> =>
        Run(
            rows,
            width,
            row =>
            {
                T* from = x + row * step,
                    factor = u == null ? null : u + row * step,
                    given = g + row * width,
                    to = dx + row * step,
                    toFactor = u == null ? null : du + row * step;
                for (int i = 0; i < width; i += Vector256<T>.Count)
                {
                    var a = VectorMath.Load(from + i, width - i);
                    var inner = gelu ? Inner(a, out var slope) : Plain(a, out slope);
                    var sigmoid = VectorMath.Sigmoid(inner);
                    var gradient = VectorMath.Load(given + i, width - i);
                    if (factor != null)
                    {
                        VectorMath.Store(toFactor + i, gradient * a * sigmoid, width - i);
                        gradient *= VectorMath.Load(factor + i, width - i);
                    }
                    // (xσ(z))′ = σ + x·σ(1 − σ)·z′
                    var derivative = sigmoid + a * slope * sigmoid * (Vector256<T>.One - sigmoid);
                    VectorMath.Store(to + i, gradient * derivative, width - i);
                }
            }
        );

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<T> Plain<T>(Vector256<T> x, out Vector256<T> slope)
        where T : unmanaged
    {
        slope = Vector256<T>.One;
        return x;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<T> Inner<T>(Vector256<T> x, out Vector256<T> slope)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        var square = x * x;
        Vector256<T> linear = Vector256.Create(VectorMath.Number<T>(Linear)),
            cubic = Vector256.Create(VectorMath.Number<T>(Cubic));
        slope = linear + square * (cubic + cubic + cubic);
        return x * (linear + square * cubic);
    }

    private static void Run(long rows, int width, Action<long> row)
    {
        var rowsOfPart = Math.Max(1, PartLength / Math.Max(1, width));
        Workers.Run(
            (rows + rowsOfPart - 1) / rowsOfPart,
            rows * width,
            part =>
            {
                for (var i = part * rowsOfPart; i < Math.Min(rows, (part + 1) * rowsOfPart); i++)
                    row(i);
            }
        );
    }
}
