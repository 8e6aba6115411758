using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace PostTrain.Operators;

/// <summary>Products of a few rows with the rows of a weight as they lie in a linear layer: y = x Wᵀ.</summary>
/// <remarks>Each number is a sum over k in a fixed order: a row's result does not depend on the rows beside it.</remarks>
internal static unsafe class RowProduct
{
    // Bytes that come from memory at once.
    private const int Line = 64;

    private const int SmallBytes = 1 << 16;

    // Numbers of a part of a sum.
    private const int BlockLength = 512;

    /// <summary>y[m,n] = Σ_k x[m,k]·w[n,k], added to what is there where <paramref name="add"/> says so.</summary>
    /// <param name="rows">Rows of x and y.</param>
    /// <param name="outputs">Rows of w.</param>
    /// <param name="k">Length of the sums.</param>
    /// <param name="x">Rows of consecutive numbers.</param>
    /// <param name="xRow">From row to row.</param>
    /// <param name="w">Rows of consecutive numbers.</param>
    /// <param name="wRow">From row to row.</param>
    /// <param name="y">Rows of consecutive numbers.</param>
    /// <param name="yRow">From row to row.</param>
    /// <param name="add">Whether y has numbers already.</param>
    internal static void Run<T>(int rows, int outputs, int k, T* x, nint xRow, T* w, nint wRow, T* y, nint yRow, bool add)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (k == 0)
            Block(rows, outputs, k, x, xRow, w, wRow, y, yRow, add);
        for (int start = 0; start < k; start += BlockLength)
            Block(rows, outputs, Math.Min(BlockLength, k - start), x + start, xRow, w + start, wRow, y, yRow, add || start > 0);
    }

    /// <summary>y ← b, or y + b where <paramref name="add"/> says so.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Shift<T>(T* y, T* b, int count, bool add)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (int i = 0; i < count; i += Vector256<T>.Count)
        {
            var shift = VectorMath.Load(b + i, count - i);
            VectorMath.Store(y + i, add ? shift + VectorMath.Load(y + i, count - i) : shift, count - i);
        }
    }

    // A part of the sums, short enough for eight rows of it to stay near the processor.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Block<T>(int rows, int outputs, int k, T* x, nint xRow, T* w, nint wRow, T* y, nint yRow, bool add)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        // A small matrix is near already.
        bool fetches = (long)outputs * k * sizeof(T) > SmallBytes;
        int n = 0,
            // Of the next eight rows, which come from memory while these are multiplied: a share with each tile.
            share = (8 + Math.Max(1, rows / 3) - 1) / Math.Max(1, rows / 3);
        for (; n <= outputs - 8; n += 8)
        {
            T* weights = w + n * wRow;
            int m = 0,
                next = n + 8,
                end = fetches ? Math.Min(n + 16, outputs) : next;
            // Twelve sums, three numbers of x and one of w fill the sixteen registers.
            for (; m <= rows - 3; m += 3)
            {
                for (int last = Math.Min(next + share, end); next < last; next++)
                    Fetch(w + next * wRow, k);
                Tile3X4(k, x + m * xRow, xRow, weights, wRow, y + m * yRow + n, yRow, add);
                Tile3X4(k, x + m * xRow, xRow, weights + 4 * wRow, wRow, y + m * yRow + n + 4, yRow, add);
            }
            for (; next < end; next++)
                Fetch(w + next * wRow, k);
            if (m <= rows - 2)
            {
                Tile2X4(k, x + m * xRow, xRow, weights, wRow, y + m * yRow + n, yRow, add);
                Tile2X4(k, x + m * xRow, xRow, weights + 4 * wRow, wRow, y + m * yRow + n + 4, yRow, add);
                m += 2;
            }
            if (m < rows)
                Tile1X8(k, x + m * xRow, weights, wRow, y + m * yRow + n, add);
        }
        for (; n < outputs; n++)
        for (int m = 0; m < rows; m++)
            Tile1X1(k, x + m * xRow, w + n * wRow, y + m * yRow + n, add);
    }

    // Asks for the memory of some numbers.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch<T>(T* from, int count)
        where T : unmanaged
    {
        if (!Sse.IsSupported)
            return;
        for (byte* line = (byte*)from, end = (byte*)(from + count); line < end; line += Line)
            Sse.Prefetch1(line);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Tile3X4<T>(int k, T* x0, nint xRow, T* w0, nint wRow, T* y, nint yRow, bool add)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T* x1 = x0 + xRow,
            x2 = x1 + xRow,
            w1 = w0 + wRow,
            w2 = w1 + wRow,
            w3 = w2 + wRow;
        Vector256<T> s00 = default,
            s01 = default,
            s02 = default,
            s03 = default,
            s10 = default,
            s11 = default,
            s12 = default,
            s13 = default,
            s20 = default,
            s21 = default,
            s22 = default,
            s23 = default;
        nint i = 0;
        for (; i <= k - Vector256<T>.Count; i += Vector256<T>.Count)
        {
            Vector256<T> a0 = Vector256.Load(x0 + i),
                a1 = Vector256.Load(x1 + i),
                a2 = Vector256.Load(x2 + i);
            var b = Vector256.Load(w0 + i);
            s00 = VectorMath.MultiplyAdd(a0, b, s00);
            s10 = VectorMath.MultiplyAdd(a1, b, s10);
            s20 = VectorMath.MultiplyAdd(a2, b, s20);
            b = Vector256.Load(w1 + i);
            s01 = VectorMath.MultiplyAdd(a0, b, s01);
            s11 = VectorMath.MultiplyAdd(a1, b, s11);
            s21 = VectorMath.MultiplyAdd(a2, b, s21);
            b = Vector256.Load(w2 + i);
            s02 = VectorMath.MultiplyAdd(a0, b, s02);
            s12 = VectorMath.MultiplyAdd(a1, b, s12);
            s22 = VectorMath.MultiplyAdd(a2, b, s22);
            b = Vector256.Load(w3 + i);
            s03 = VectorMath.MultiplyAdd(a0, b, s03);
            s13 = VectorMath.MultiplyAdd(a1, b, s13);
            s23 = VectorMath.MultiplyAdd(a2, b, s23);
        }
        if (i < k)
        {
            long left = k - i;
            Vector256<T> a0 = VectorMath.Load(x0 + i, left),
                a1 = VectorMath.Load(x1 + i, left),
                a2 = VectorMath.Load(x2 + i, left);
            var b = VectorMath.Load(w0 + i, left);
            s00 = VectorMath.MultiplyAdd(a0, b, s00);
            s10 = VectorMath.MultiplyAdd(a1, b, s10);
            s20 = VectorMath.MultiplyAdd(a2, b, s20);
            b = VectorMath.Load(w1 + i, left);
            s01 = VectorMath.MultiplyAdd(a0, b, s01);
            s11 = VectorMath.MultiplyAdd(a1, b, s11);
            s21 = VectorMath.MultiplyAdd(a2, b, s21);
            b = VectorMath.Load(w2 + i, left);
            s02 = VectorMath.MultiplyAdd(a0, b, s02);
            s12 = VectorMath.MultiplyAdd(a1, b, s12);
            s22 = VectorMath.MultiplyAdd(a2, b, s22);
            b = VectorMath.Load(w3 + i, left);
            s03 = VectorMath.MultiplyAdd(a0, b, s03);
            s13 = VectorMath.MultiplyAdd(a1, b, s13);
            s23 = VectorMath.MultiplyAdd(a2, b, s23);
        }
        Store(s00, s01, s02, s03, y, add);
        Store(s10, s11, s12, s13, y + yRow, add);
        Store(s20, s21, s22, s23, y + 2 * yRow, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Tile2X4<T>(int k, T* x0, nint xRow, T* w0, nint wRow, T* y, nint yRow, bool add)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T* x1 = x0 + xRow,
            w1 = w0 + wRow,
            w2 = w1 + wRow,
            w3 = w2 + wRow;
        Vector256<T> s00 = default,
            s01 = default,
            s02 = default,
            s03 = default,
            s10 = default,
            s11 = default,
            s12 = default,
            s13 = default;
        nint i = 0;
        for (; i <= k - Vector256<T>.Count; i += Vector256<T>.Count)
        {
            Vector256<T> a0 = Vector256.Load(x0 + i),
                a1 = Vector256.Load(x1 + i);
            var b = Vector256.Load(w0 + i);
            s00 = VectorMath.MultiplyAdd(a0, b, s00);
            s10 = VectorMath.MultiplyAdd(a1, b, s10);
            b = Vector256.Load(w1 + i);
            s01 = VectorMath.MultiplyAdd(a0, b, s01);
            s11 = VectorMath.MultiplyAdd(a1, b, s11);
            b = Vector256.Load(w2 + i);
            s02 = VectorMath.MultiplyAdd(a0, b, s02);
            s12 = VectorMath.MultiplyAdd(a1, b, s12);
            b = Vector256.Load(w3 + i);
            s03 = VectorMath.MultiplyAdd(a0, b, s03);
            s13 = VectorMath.MultiplyAdd(a1, b, s13);
        }
        if (i < k)
        {
            long left = k - i;
            Vector256<T> a0 = VectorMath.Load(x0 + i, left),
                a1 = VectorMath.Load(x1 + i, left);
            var b = VectorMath.Load(w0 + i, left);
            s00 = VectorMath.MultiplyAdd(a0, b, s00);
            s10 = VectorMath.MultiplyAdd(a1, b, s10);
            b = VectorMath.Load(w1 + i, left);
            s01 = VectorMath.MultiplyAdd(a0, b, s01);
            s11 = VectorMath.MultiplyAdd(a1, b, s11);
            b = VectorMath.Load(w2 + i, left);
            s02 = VectorMath.MultiplyAdd(a0, b, s02);
            s12 = VectorMath.MultiplyAdd(a1, b, s12);
            b = VectorMath.Load(w3 + i, left);
            s03 = VectorMath.MultiplyAdd(a0, b, s03);
            s13 = VectorMath.MultiplyAdd(a1, b, s13);
        }
        Store(s00, s01, s02, s03, y, add);
        Store(s10, s11, s12, s13, y + yRow, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Tile1X8<T>(int k, T* x0, T* w0, nint wRow, T* y, bool add)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T* w1 = w0 + wRow,
            w2 = w1 + wRow,
            w3 = w2 + wRow,
            w4 = w3 + wRow,
            w5 = w4 + wRow,
            w6 = w5 + wRow,
            w7 = w6 + wRow;
        Vector256<T> s00 = default,
            s01 = default,
            s02 = default,
            s03 = default,
            s04 = default,
            s05 = default,
            s06 = default,
            s07 = default;
        nint i = 0;
        for (; i <= k - Vector256<T>.Count; i += Vector256<T>.Count)
        {
            var a0 = Vector256.Load(x0 + i);
            s00 = VectorMath.MultiplyAdd(a0, Vector256.Load(w0 + i), s00);
            s01 = VectorMath.MultiplyAdd(a0, Vector256.Load(w1 + i), s01);
            s02 = VectorMath.MultiplyAdd(a0, Vector256.Load(w2 + i), s02);
            s03 = VectorMath.MultiplyAdd(a0, Vector256.Load(w3 + i), s03);
            s04 = VectorMath.MultiplyAdd(a0, Vector256.Load(w4 + i), s04);
            s05 = VectorMath.MultiplyAdd(a0, Vector256.Load(w5 + i), s05);
            s06 = VectorMath.MultiplyAdd(a0, Vector256.Load(w6 + i), s06);
            s07 = VectorMath.MultiplyAdd(a0, Vector256.Load(w7 + i), s07);
        }
        if (i < k)
        {
            long left = k - i;
            var a0 = VectorMath.Load(x0 + i, left);
            s00 = VectorMath.MultiplyAdd(a0, VectorMath.Load(w0 + i, left), s00);
            s01 = VectorMath.MultiplyAdd(a0, VectorMath.Load(w1 + i, left), s01);
            s02 = VectorMath.MultiplyAdd(a0, VectorMath.Load(w2 + i, left), s02);
            s03 = VectorMath.MultiplyAdd(a0, VectorMath.Load(w3 + i, left), s03);
            s04 = VectorMath.MultiplyAdd(a0, VectorMath.Load(w4 + i, left), s04);
            s05 = VectorMath.MultiplyAdd(a0, VectorMath.Load(w5 + i, left), s05);
            s06 = VectorMath.MultiplyAdd(a0, VectorMath.Load(w6 + i, left), s06);
            s07 = VectorMath.MultiplyAdd(a0, VectorMath.Load(w7 + i, left), s07);
        }
        Store(s00, s01, s02, s03, y, add);
        Store(s04, s05, s06, s07, y + 4, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Tile1X1<T>(int k, T* x, T* w, T* y, bool add)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        Vector256<T> sum = default;
        for (int i = 0; i < k; i += Vector256<T>.Count)
            sum = VectorMath.MultiplyAdd(VectorMath.Load(x + i, k - i), VectorMath.Load(w + i, k - i), sum);
        T* four = stackalloc T[4];
        Store(sum, default, default, default, four, add: false);
        *y = add ? *y + *four : *four;
    }

    // The four sums over the lanes, each in the same order.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<T>(Vector256<T> s0, Vector256<T> s1, Vector256<T> s2, Vector256<T> s3, T* y, bool add)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (typeof(T) == typeof(float) && Avx.IsSupported)
        {
            Vector256<float> a = s0.AsSingle(),
                b = s1.AsSingle(),
                c = s2.AsSingle(),
                d = s3.AsSingle();
            var ab = Avx.UnpackLow(a, b) + Avx.UnpackHigh(a, b);
            var cd = Avx.UnpackLow(c, d) + Avx.UnpackHigh(c, d);
            var all = Avx.Shuffle(ab, cd, 0b01_00_01_00) + Avx.Shuffle(ab, cd, 0b11_10_11_10);
            var sums = all.GetLower() + all.GetUpper();
            if (add)
                sums += Vector128.Load((float*)y);
            sums.Store((float*)y);
            return;
        }
        var (y0, y1, y2, y3) = (Vector256.Sum(s0), Vector256.Sum(s1), Vector256.Sum(s2), Vector256.Sum(s3));
        if (add)
            (y0, y1, y2, y3) = (y[0] + y0, y[1] + y1, y[2] + y2, y[3] + y3);
        (y[0], y[1], y[2], y[3]) = (y0, y1, y2, y3);
    }
}
