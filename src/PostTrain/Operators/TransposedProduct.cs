using System.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary>Products with a transposed matrix, in the library's own loops where the BLAS is slow: where one matrix has few rows, and on
/// AMD's processors where one is as long as a vocabulary.</summary>
internal static unsafe class TransposedProduct
{
    // The BLAS is slow up to here on all processors.
    private const int FewRows = 32;

    // Rows of a part: of the left matrix, and of the right one where the left one has few or many.
    private const int PartRows = 128,
        FewPart = 64,
        ManyPart = 512;

    private const int LeastLength = 1024,
        LeastWidth = 128;

    /// <summary>M Xᵀ, [r,n]; M [r,k], X [n,k] of one type, float32 or float64.</summary>
    internal static Tensor Right(Tensor m, Tensor x)
    {
        if (!(m.size(0) <= FewRows || (x.size(1) >= LeastWidth && IsLong(x))) || x.numel() == 0)
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
        if (!IsLong(c) || !TensorFacts.IsContiguous(c) || a.numel() == 0 || b.numel() == 0)
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

    // The loops are faster where a matrix is as long as a vocabulary, measured on Zen 4; elsewhere both reach what the processor can.
    private static bool IsLong(Tensor matrix) =>
        ProcessorFacts.IsAmd
        && TensorFacts.Size(matrix, 0) >= LeastLength
        && TensorFacts.Type(matrix) == ScalarType.Float32
        && TensorFacts.IsOnCpu(matrix);

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
            most = rows > FewRows ? ManyPart : FewPart,
            across = (count + most - 1) / most;
        int width = (int)few.size(1);
        Workers.Run(
            (rows + PartRows - 1) / PartRows * across,
            many.numel() * Math.Max(rows / FewRows, 1),
            part =>
            {
                long row = part / across * PartRows,
                    start = part % across * most;
                RowProduct.Run(
                    (int)Math.Min(PartRows, rows - row),
                    (int)Math.Min(most, count - start),
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
