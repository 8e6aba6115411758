using System.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary>Products of a matrix of few rows with many rows, M Xᵀ: the shape of a low-rank adapter, at which BLAS libraries are
/// slow.</summary>
internal static unsafe class ThinProduct
{
    // Beyond, the BLAS is as fast.
    private const int MostRows = 32;

    // Rows of X of a part, so that results do not depend on the number of threads.
    private const int PartLength = 64;

    /// <summary>M Xᵀ, [r,n], of contiguous or strided M [r,k] and X [n,k] of one type.</summary>
    internal static Tensor Run(Tensor few, Tensor many)
    {
        if (few.size(0) > MostRows || many.numel() == 0)
            return few.mm(many.t());
        var product = empty(few.size(0), many.size(0), dtype: many.dtype);
        if (many.dtype == ScalarType.Float32)
            Run<float>(few, many, product);
        else
            Run<double>(few, many, product);
        return product;
    }

    private static void Run<T>(Tensor few, Tensor many, Tensor product)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using var left = new NumberSource<T>(few);
        using var right = new NumberSource<T>(many);
        T* m = left.Pointer,
            x = right.Pointer,
            y = TensorMemory.Address<T>(product);
        var (rows, width, count) = ((int)few.size(0), (int)few.size(1), many.size(0));
        Workers.Run(
            (count + PartLength - 1) / PartLength,
            many.numel(),
            part =>
            {
                long start = part * PartLength;
                int length = (int)Math.Min(PartLength, count - start);
                RowProduct.Run(rows, length, width, m, width, x + start * width, width, y + start, (nint)count, add: false);
            }
        );
        GC.KeepAlive(product);
    }
}
