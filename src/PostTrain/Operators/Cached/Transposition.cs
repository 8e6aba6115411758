using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace PostTrain.Operators;

/// <summary>The transpose of a matrix in memory.</summary>
internal static unsafe class Transposition
{
    // Sides of the tiles that a cache holds.
    private const int Tile = 64;

    /// <summary>to[j,i] = from[i,j].</summary>
    /// <param name="from">[rows,columns].</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="to">[columns,rows].</param>
    /// <param name="toRow">From row to row of the result.</param>
    internal static void Run<T>(T* from, long rows, long columns, T* to, long toRow)
        where T : unmanaged
    {
        var down = (rows + Tile - 1) / Tile;
        var across = (columns + Tile - 1) / Tile;
        Workers.Run(
            down * across,
            rows * columns,
            part =>
            {
                long i = part / across * Tile,
                    j = part % across * Tile;
                Part(from + i * columns + j, columns, to + j * toRow + i, toRow, Math.Min(Tile, rows - i), Math.Min(Tile, columns - j));
            }
        );
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Part<T>(T* from, long fromRow, T* to, long toRow, long rows, long columns)
        where T : unmanaged
    {
        long i = 0;
        if (typeof(T) == typeof(float) && Avx.IsSupported)
        {
            for (; i <= rows - 8; i += 8)
            {
                long j = 0;
                for (; j <= columns - 8; j += 8)
                    Eight((float*)from + i * fromRow + j, fromRow, (float*)to + j * toRow + i, toRow);
                for (; j < columns; j++)
                for (int k = 0; k < 8; k++)
                    to[j * toRow + i + k] = from[(i + k) * fromRow + j];
            }
        }
        for (; i < rows; i++)
        for (long j = 0; j < columns; j++)
            to[j * toRow + i] = from[i * fromRow + j];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Eight(float* from, long fromRow, float* to, long toRow)
    {
        // Halves of rows 0 to 3 and 4 to 7 beside each other, so that what is left is a transpose of four by four in each half.
        Vector256<float> a = Pair(from, fromRow * 4),
            b = Pair(from + fromRow, fromRow * 4),
            c = Pair(from + 2 * fromRow, fromRow * 4),
            d = Pair(from + 3 * fromRow, fromRow * 4);
        Four(a, b, c, d, to, toRow);
        a = Pair(from + 4, fromRow * 4);
        b = Pair(from + fromRow + 4, fromRow * 4);
        c = Pair(from + 2 * fromRow + 4, fromRow * 4);
        d = Pair(from + 3 * fromRow + 4, fromRow * 4);
        Four(a, b, c, d, to + 4 * toRow, toRow);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Pair(float* from, long step) => Vector256.Create(Vector128.Load(from), Vector128.Load(from + step));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Four(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d, float* to, long toRow)
    {
        Vector256<float> ab = Avx.UnpackLow(a, b),
            cd = Avx.UnpackLow(c, d);
        Avx.Shuffle(ab, cd, 0b01_00_01_00).Store(to);
        Avx.Shuffle(ab, cd, 0b11_10_11_10).Store(to + toRow);
        ab = Avx.UnpackHigh(a, b);
        cd = Avx.UnpackHigh(c, d);
        Avx.Shuffle(ab, cd, 0b01_00_01_00).Store(to + 2 * toRow);
        Avx.Shuffle(ab, cd, 0b11_10_11_10).Store(to + 3 * toRow);
    }
}
