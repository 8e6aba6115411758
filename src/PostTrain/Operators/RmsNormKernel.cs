using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PostTrain.Operators;

/// <summary>y = x·r·f with r = 1/√(mean(x²) + ε) of each row and f = w or 1 + w, and its gradient.</summary>
internal static unsafe class RmsNormKernel
{
    // Rows of a part; the gradient of the weight is summed by parts.
    private const int PartRows = 64;

    /// <summary>Writes the result, and r of each row unless <paramref name="scales"/> is null.</summary>
    internal static void Forward<T, S>(S* x, S* weight, S* y, T* scales, long rows, int width, double epsilon, bool offset)
        where T : unmanaged, IFloatingPointIeee754<T>
        where S : unmanaged =>
        Workers.Run(
            Parts(rows),
            rows * width / 4,
            part =>
            {
                for (long row = part * PartRows; row < Math.Min(rows, (part + 1) * PartRows); row++)
                {
                    var scale = VectorMath.Number<T>(1 / Math.Sqrt(SquaredSum<T, S>(x + row * width, width) / width + epsilon));
                    Scale(x + row * width, scale, weight, y + row * width, width, offset);
                    if (scales != null)
                        scales[row] = scale;
                }
            }
        );

    /// <summary>∂x = r·(f·g − n·mean(f·g·n)) and ∂w = Σ g·n over the rows, with n = x·r.</summary>
    /// <param name="x">The input.</param>
    /// <param name="weight">w.</param>
    /// <param name="scales">r.</param>
    /// <param name="g">Gradient of the result.</param>
    /// <param name="dx">Written unless null.</param>
    /// <param name="dw">Written unless null.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="width">Numbers of a row.</param>
    /// <param name="offset">Whether f is 1 + w.</param>
    internal static void Backward<T, S>(S* x, S* weight, T* scales, S* g, S* dx, T* dw, long rows, int width, bool offset)
        where T : unmanaged, IFloatingPointIeee754<T>
        where S : unmanaged
    {
        var sums = new T[dw == null ? 0 : Parts(rows) * width];
        fixed (T* pinned = sums)
        {
            T* partial = pinned;
            Workers.Run(
                Parts(rows),
                rows * width / 2,
                part =>
                {
                    T* to = dw == null ? null : partial + part * width;
                    for (long row = part * PartRows; row < Math.Min(rows, (part + 1) * PartRows); row++)
                    {
                        long start = row * width;
                        if (dx == null)
                            Weight(x + start, scales[row], g + start, to, width);
                        else
                            Row(x + start, weight, scales[row], g + start, dx + start, to, width, offset);
                    }
                }
            );
            if (dw == null)
                return;
            new Span<T>(dw, width).Clear();
            for (long part = 0; part < Parts(rows); part++)
            {
                for (int i = 0; i < width; i++)
                    dw[i] += partial[part * width + i];
            }
        }
    }

    /// <summary>Writes one row; <paramref name="y"/> may be <paramref name="x"/>.</summary>
    internal static void Row<T>(T* x, T* weight, T* y, int width, double epsilon, bool offset)
        where T : unmanaged, IFloatingPointIeee754<T> =>
        Scale(x, VectorMath.Number<T>(1 / Math.Sqrt(SquaredSum<T, T>(x, width) / width + epsilon)), weight, y, width, offset);

    private static long Parts(long rows) => (rows + PartRows - 1) / PartRows;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double SquaredSum<T, S>(S* x, int width)
        where T : unmanaged, IFloatingPointIeee754<T>
        where S : unmanaged
    {
        Vector256<T> even = default,
            odd = default;
        int step = Vector256<T>.Count;
        for (int i = 0; i < width; i += 2 * step)
        {
            var first = Stored.Load<T, S>(x + i, width - i);
            even = VectorMath.MultiplyAdd(first, first, even);
            if (i + step >= width)
                continue;
            var second = Stored.Load<T, S>(x + i + step, width - i - step);
            odd = VectorMath.MultiplyAdd(second, second, odd);
        }
        return double.CreateTruncating(Vector256.Sum(even + odd));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scale<T, S>(S* x, T scale, S* weight, S* y, int width, bool offset)
        where T : unmanaged, IFloatingPointIeee754<T>
        where S : unmanaged
    {
        var shift = offset ? Vector256<T>.One : default;
        for (int i = 0; i < width; i += Vector256<T>.Count)
        {
            var factor = Stored.Load<T, S>(weight + i, width - i) + shift;
            Stored.Store(y + i, Stored.Load<T, S>(x + i, width - i) * scale * factor, width - i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Row<T, S>(S* x, S* weight, T scale, S* g, S* dx, T* dw, int width, bool offset)
        where T : unmanaged, IFloatingPointIeee754<T>
        where S : unmanaged
    {
        var shift = offset ? Vector256<T>.One : default;
        Vector256<T> sum = default;
        for (int i = 0; i < width; i += Vector256<T>.Count)
        {
            var given = Stored.Load<T, S>(g + i, width - i) * (Stored.Load<T, S>(weight + i, width - i) + shift);
            sum = VectorMath.MultiplyAdd(given, Stored.Load<T, S>(x + i, width - i), sum);
        }
        // mean(f·g·n)·r, the factor of n.
        var mean = Vector256.Create(Vector256.Sum(sum) * scale * scale / VectorMath.Number<T>(width));
        var scales = Vector256.Create(scale);
        for (int i = 0; i < width; i += Vector256<T>.Count)
        {
            Vector256<T> values = Stored.Load<T, S>(x + i, width - i),
                given = Stored.Load<T, S>(g + i, width - i),
                factor = Stored.Load<T, S>(weight + i, width - i) + shift;
            Stored.Store(dx + i, (given * factor - values * mean) * scales, width - i);
            if (dw != null)
                VectorMath.Store(dw + i, VectorMath.MultiplyAdd(values * scales, given, VectorMath.Load(dw + i, width - i)), width - i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weight<T, S>(S* x, T scale, S* g, T* dw, int width)
        where T : unmanaged, IFloatingPointIeee754<T>
        where S : unmanaged
    {
        for (int i = 0; i < width; i += Vector256<T>.Count)
        {
            var normal = Stored.Load<T, S>(x + i, width - i) * scale;
            var sum = VectorMath.MultiplyAdd(normal, Stored.Load<T, S>(g + i, width - i), VectorMath.Load(dw + i, width - i));
            VectorMath.Store(dw + i, sum, width - i);
        }
    }
}
