using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PostTrain.Operators;

/// <summary>Products of small matrices that lie in the cache: C ← A·B or C ← C + A·B.</summary>
internal static unsafe class BlockProduct
{
    /// <summary>Divisor of the number of rows of C.</summary>
    internal const int Rows = 8;

    /// <summary>c[i,j] = Σ_p a[i,p]·b[p,j], added to what is there where <paramref name="add"/> says so.</summary>
    /// <param name="m">Rows of C, a multiple of <see cref="Rows"/>.</param>
    /// <param name="n">Columns of C, a multiple of a vector.</param>
    /// <param name="k">Length of the sums.</param>
    /// <param name="a">Element (i,p) at i·<paramref name="aRow"/> + p·<paramref name="aColumn"/>, so that a transpose is a matter of the
    /// steps.</param>
    /// <param name="aRow">From row to row.</param>
    /// <param name="aColumn">From column to column.</param>
    /// <param name="b">Rows of consecutive numbers.</param>
    /// <param name="bRow">From row to row.</param>
    /// <param name="c">Rows of consecutive numbers.</param>
    /// <param name="cRow">From row to row.</param>
    /// <param name="add">Whether C has numbers already.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Run<T>(int m, int n, int k, T* a, nint aRow, nint aColumn, T* b, nint bRow, T* c, nint cRow, bool add)
        where T : unmanaged
    {
        int width = Vector256<T>.Count,
            j = 0;
        for (; j <= n - 2 * width; j += 2 * width)
        for (int i = 0; i < m; i += 4)
            Tile4X2(k, a + i * aRow, aRow, aColumn, b + j, bRow, c + i * cRow + j, cRow, add);
        if (j < n)
            for (int i = 0; i < m; i += 8)
                Tile8X1(k, a + i * aRow, aRow, aColumn, b + j, bRow, c + i * cRow + j, cRow, add);
    }

    // Eight sums in registers in both: as many as two multiply-adds a cycle need.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Tile4X2<T>(int k, T* a, nint aRow, nint aColumn, T* b, nint bRow, T* c, nint cRow, bool add)
        where T : unmanaged
    {
        int width = Vector256<T>.Count;
        T* c1 = c + cRow,
            c2 = c1 + cRow,
            c3 = c2 + cRow;
        Vector256<T> s00,
            s01,
            s10,
            s11,
            s20,
            s21,
            s30,
            s31;
        if (add)
        {
            (s00, s01) = (Vector256.Load(c), Vector256.Load(c + width));
            (s10, s11) = (Vector256.Load(c1), Vector256.Load(c1 + width));
            (s20, s21) = (Vector256.Load(c2), Vector256.Load(c2 + width));
            (s30, s31) = (Vector256.Load(c3), Vector256.Load(c3 + width));
        }
        else
        {
            s00 = s01 = s10 = s11 = s20 = s21 = s30 = s31 = Vector256<T>.Zero;
        }

        T* a1 = a + aRow,
            a2 = a1 + aRow,
            a3 = a2 + aRow;
        for (int p = 0; p < k; p++)
        {
            var b0 = Vector256.Load(b);
            var b1 = Vector256.Load(b + width);
            var x = Vector256.Create(*a);
            s00 = VectorMath.MultiplyAdd(x, b0, s00);
            s01 = VectorMath.MultiplyAdd(x, b1, s01);
            x = Vector256.Create(*a1);
            s10 = VectorMath.MultiplyAdd(x, b0, s10);
            s11 = VectorMath.MultiplyAdd(x, b1, s11);
            x = Vector256.Create(*a2);
            s20 = VectorMath.MultiplyAdd(x, b0, s20);
            s21 = VectorMath.MultiplyAdd(x, b1, s21);
            x = Vector256.Create(*a3);
            s30 = VectorMath.MultiplyAdd(x, b0, s30);
            s31 = VectorMath.MultiplyAdd(x, b1, s31);
            a += aColumn;
            a1 += aColumn;
            a2 += aColumn;
            a3 += aColumn;
            b += bRow;
        }

        s00.Store(c);
        s01.Store(c + width);
        s10.Store(c1);
        s11.Store(c1 + width);
        s20.Store(c2);
        s21.Store(c2 + width);
        s30.Store(c3);
        s31.Store(c3 + width);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Tile8X1<T>(int k, T* a, nint aRow, nint aColumn, T* b, nint bRow, T* c, nint cRow, bool add)
        where T : unmanaged
    {
        T* half = c + 4 * cRow;
        Vector256<T> s0,
            s1,
            s2,
            s3,
            s4,
            s5,
            s6,
            s7;
        if (add)
        {
            (s0, s1) = (Vector256.Load(c), Vector256.Load(c + cRow));
            (s2, s3) = (Vector256.Load(c + 2 * cRow), Vector256.Load(c + 3 * cRow));
            (s4, s5) = (Vector256.Load(half), Vector256.Load(half + cRow));
            (s6, s7) = (Vector256.Load(half + 2 * cRow), Vector256.Load(half + 3 * cRow));
        }
        else
        {
            s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = Vector256<T>.Zero;
        }

        nint two = 2 * aRow,
            three = 3 * aRow;
        T* a4 = a + 4 * aRow;
        for (int p = 0; p < k; p++)
        {
            var b0 = Vector256.Load(b);
            s0 = VectorMath.MultiplyAdd(Vector256.Create(*a), b0, s0);
            s1 = VectorMath.MultiplyAdd(Vector256.Create(a[aRow]), b0, s1);
            s2 = VectorMath.MultiplyAdd(Vector256.Create(a[two]), b0, s2);
            s3 = VectorMath.MultiplyAdd(Vector256.Create(a[three]), b0, s3);
            s4 = VectorMath.MultiplyAdd(Vector256.Create(*a4), b0, s4);
            s5 = VectorMath.MultiplyAdd(Vector256.Create(a4[aRow]), b0, s5);
            s6 = VectorMath.MultiplyAdd(Vector256.Create(a4[two]), b0, s6);
            s7 = VectorMath.MultiplyAdd(Vector256.Create(a4[three]), b0, s7);
            a += aColumn;
            a4 += aColumn;
            b += bRow;
        }

        s0.Store(c);
        s1.Store(c + cRow);
        s2.Store(c + 2 * cRow);
        s3.Store(c + 3 * cRow);
        s4.Store(half);
        s5.Store(half + cRow);
        s6.Store(half + 2 * cRow);
        s7.Store(half + 3 * cRow);
    }
}
