using System.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary>Products with a transposed matrix, in the library's own loops where the BLAS is slow: with few rows everywhere, with many on
/// processors where it does not use their whole width.</summary>
internal static unsafe class TransposedProduct
{
    // The BLAS is slow up to here on all processors.
    private const int FewRows = 32;

    // Rows of both matrices of a part.
    private const int PartRows = 128,
        PartOutputs = 64;

    /// <summary>M Xᵀ, [r,n]; M [r,k], X [n,k] of one type, float32 or float64.</summary>
    internal static Tensor Right(Tensor m, Tensor x)
    {
        if (!(m.size(0) <= FewRows || TakesMany(m)) || x.numel() == 0)
            return m.mm(x.t());
        var product = empty(m.size(0), x.size(0), dtype: x.dtype);
        if (x.dtype == ScalarType.Float32)
            Right<float>(m, x, product);
        else
            Right<double>(m, x, product);
        return product;
    }

    /// <summary>C ← C + Aᵀ B; A [k,m], B [k,n], C [m,n] of one type, C in row-major order.</summary>
    internal static void AddLeft(Tensor c, Tensor a, Tensor b)
    {
        if (!TakesMany(c) || !TensorFacts.IsContiguous(c) || a.numel() == 0 || b.numel() == 0)
        {
            c.addmm_(a.t(), b);
            return;
        }
        using var left = new NumberSource<float>(a);
        using var right = new NumberSource<float>(b);
        var (m, n, k) = ((int)c.size(0), (int)c.size(1), (int)a.size(0));
        PanelProduct.AddTurned(m, n, k, left.Pointer, m, right.Pointer, n, TensorMemory.Address<float>(c), n);
        GC.KeepAlive(c);
    }

    private static bool TakesMany(Tensor matrix) =>
        ProcessorFacts.BlasIsHalfAsWide && TensorFacts.Type(matrix) == ScalarType.Float32 && TensorFacts.IsOnCpu(matrix);

    private static void Right<T>(Tensor few, Tensor many, Tensor product)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using var left = new NumberSource<T>(few);
        using var right = new NumberSource<T>(many);
        T* m = left.Pointer,
            x = right.Pointer,
            y = TensorMemory.Address<T>(product);
        long rows = few.size(0),
            count = many.size(0),
            across = (count + PartOutputs - 1) / PartOutputs;
        int width = (int)few.size(1);
        Workers.Run(
            (rows + PartRows - 1) / PartRows * across,
            many.numel() * Math.Max(rows / FewRows, 1),
            part =>
            {
                long row = part / across * PartRows,
                    start = part % across * PartOutputs;
                RowProduct.Run(
                    (int)Math.Min(PartRows, rows - row),
                    (int)Math.Min(PartOutputs, count - start),
                    width,
                    m + row * width,
                    width,
                    x + start * width,
                    width,
                    y + row * count + start,
                    (nint)count,
                    add: false
                );
            }
        );
        GC.KeepAlive(product);
    }
}
