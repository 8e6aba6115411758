using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PostTrain.Operators;

/// <summary>y = a(x)·u, u = 1 where there is none, with a(x) = x·σ(z): z = x is SiLU, z = 2√(2/π)(x + 0.044715 x³) the tanh approximation
/// of GELU; and its gradient.</summary>
internal static unsafe class GateKernel
{
    private const int PartLength = 1 << 14;

    // 2√(2/π) and 0.044715 times that.
    private const double Linear = 1.5957691216057308,
        Cubic = 0.07135481627260025;

    /// <summary>Writes the result, [rows,width] of consecutive numbers.</summary>
    /// <param name="x">Rows of the gate.</param>
    /// <param name="u">Rows of the factor; null for 1.</param>
    /// <param name="step">From row to row of both.</param>
    /// <param name="y">The result.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="width">Numbers of a row.</param>
    /// <param name="gelu">GELU, otherwise SiLU.</param>
    internal static void Forward<T, S>(S* x, S* u, long step, S* y, long rows, long width, bool gelu)
        where T : unmanaged, IFloatingPointIeee754<T>
        where S : unmanaged =>
        Run(
            rows,
            width,
            (row, start, count) =>
            {
                var place = row * step + start;
                Forward<T, S>(x + place, u == null ? null : u + place, y + row * width + start, count, gelu);
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
    internal static void Backward<T, S>(S* x, S* u, long step, S* g, S* dx, S* du, long rows, long width, bool gelu)
        where T : unmanaged, IFloatingPointIeee754<T>
        where S : unmanaged =>
        Run(
            rows,
            width,
            (row, start, count) =>
            {
                var place = row * step + start;
                S* given = g + row * width + start;
                if (u == null)
                    Backward<T, S>(x + place, null, given, dx + place, null, count, gelu);
                else
                    Backward<T, S>(x + place, u + place, given, dx + place, du + place, count, gelu);
            }
        );

    /// <summary>Writes one row.</summary>
    internal static void Row<T>(T* x, T* u, T* y, int count, bool gelu)
        where T : unmanaged, IFloatingPointIeee754<T> => Forward<T, T>(x, u, y, count, gelu);

    /// <summary>max(x, 0)·u of one row; u = 1 where it is null.</summary>
    internal static void Rectify<T>(T* x, T* u, T* y, int count)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (int i = 0; i < count; i++)
            y[i] = T.Max(x[i], T.Zero) * (u == null ? T.One : u[i]);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Forward<T, S>(S* x, S* u, S* y, int count, bool gelu)
        where T : unmanaged, IFloatingPointIeee754<T>
        where S : unmanaged
    {
        for (int i = 0; i < count; i += Vector256<T>.Count)
        {
            var a = Stored.Load<T, S>(x + i, count - i);
            var result = a * VectorMath.Sigmoid(gelu ? Inner(a, out _) : a);
            if (u != null)
                result *= Stored.Load<T, S>(u + i, count - i);
            Stored.Store(y + i, result, count - i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Backward<T, S>(S* x, S* u, S* g, S* dx, S* du, int count, bool gelu)
        where T : unmanaged, IFloatingPointIeee754<T>
        where S : unmanaged
    {
        for (int i = 0; i < count; i += Vector256<T>.Count)
        {
            var a = Stored.Load<T, S>(x + i, count - i);
            var inner = gelu ? Inner(a, out var slope) : Plain(a, out slope);
            var sigmoid = VectorMath.Sigmoid(inner);
            var gradient = Stored.Load<T, S>(g + i, count - i);
            if (u != null)
            {
                Stored.Store(du + i, gradient * a * sigmoid, count - i);
                gradient *= Stored.Load<T, S>(u + i, count - i);
            }
            // (xσ(z))′ = σ + x·σ(1 − σ)·z′
            var derivative = sigmoid + a * slope * sigmoid * (Vector256<T>.One - sigmoid);
            Stored.Store(dx + i, gradient * derivative, count - i);
        }
    }

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

    // Parts of rows, or several rows where they are short.
    private static void Run(long rows, long width, Action<long, long, int> part)
    {
        if (width >= PartLength)
        {
            var parts = (width + PartLength - 1) / PartLength;
            Workers.Run(
                rows * parts,
                rows * width,
                i =>
                {
                    var start = i % parts * PartLength;
                    part(i / parts, start, (int)Math.Min(PartLength, width - start));
                }
            );
            return;
        }
        var rowsOfPart = PartLength / width;
        Workers.Run(
            (rows + rowsOfPart - 1) / rowsOfPart,
            rows * width,
            i =>
            {
                for (var row = i * rowsOfPart; row < Math.Min(rows, (i + 1) * rowsOfPart); row++)
                    part(row, 0, (int)width);
            }
        );
    }
}
