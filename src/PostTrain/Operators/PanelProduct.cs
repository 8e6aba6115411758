using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PostTrain.Operators;

/// <summary>Aᵀ B of large matrices, by tiles of A and panels of B that are copied to lie beside each other.</summary>
/// <remarks>Goto and van de Geijn 2008, Anatomy of High-Performance Matrix Multiplication, doi:10.1145/1356052.1356053. Each number is a
/// sum in a fixed order: results do not depend on the number of threads.</remarks>
internal static unsafe class PanelProduct
{
    // Rows of a tile of C, whose two vectors a row fill the registers.
    private const int TileRows = 6;

    // Length of a part of the sums: a panel of it stays in the first cache.
    private const int Depth = 256;

    // Numbers of a tile of A, with room that keeps the tiles out of the same places of the cache.
    private const int TileStep = TileRows * Depth + 16;

    // Rows of C whose tiles of A stay in the second cache.
    private const int BlockRows = 128 * TileRows;

    // Columns of A that are copied at once.
    private const int TurnedColumns = 16 * TileRows;

    /// <summary>C ← C + Aᵀ B; A [k,m], B [k,n], C [m,n], rows of consecutive numbers.</summary>
    /// <param name="m">Rows of C.</param>
    /// <param name="n">Columns of C.</param>
    /// <param name="k">Length of the sums.</param>
    /// <param name="a">The left matrix.</param>
    /// <param name="aRow">From row to row of it.</param>
    /// <param name="b">The right matrix.</param>
    /// <param name="bRow">From row to row of it.</param>
    /// <param name="c">The result.</param>
    /// <param name="cRow">From row to row of it.</param>
    internal static void AddTurned<T>(int m, int n, int k, T* a, nint aRow, T* b, nint bRow, T* c, nint cRow)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        int tiles = (Math.Min(m, BlockRows) + TileRows - 1) / TileRows;
        using var room = Scratch.Take((nuint)(tiles * TileStep * sizeof(T)));
        T* turned = (T*)room.Address;
        for (int row = 0; row < m; row += BlockRows)
        for (int start = 0; start < k; start += Depth)
        {
            int rows = Math.Min(BlockRows, m - row),
                depth = Math.Min(Depth, k - start);
            Turn(rows, depth, a + start * aRow + row, aRow, turned);
            Panels(rows, n, depth, turned, b + start * bRow, bRow, c + row * cRow, cRow);
        }
    }

    // A part of the sums.
    private static void Panels<T>(int m, int n, int k, T* turned, T* b, nint bRow, T* c, nint cRow)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        int width = 2 * Vector256<T>.Count;
        Workers.Run(
            (n + width - 1) / width,
            (long)m * n,
            index =>
            {
                int column = (int)index * width,
                    columns = Math.Min(width, n - column);
                T* panel = stackalloc T[Depth * width];
                Copy(k, columns, b + column, bRow, panel);
                Panel(m, columns, k, turned, panel, c + column, cRow);
            }
        );
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Panel<T>(int m, int columns, int k, T* turned, T* panel, T* c, nint cRow)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (int i = 0; i < m; i += TileRows, turned += TileStep, c += TileRows * cRow)
            Tile(k, turned, panel, c, cRow, Math.Min(TileRows, m - i), columns);
    }

    // Twelve sums, two vectors of B and a number of A fill the sixteen registers.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Tile<T>(int k, T* a, T* panel, T* c, nint cRow, int rows, int columns)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        Vector256<T> s00 = default,
            s01 = default,
            s10 = default,
            s11 = default,
            s20 = default,
            s21 = default,
            s30 = default,
            s31 = default,
            s40 = default,
            s41 = default,
            s50 = default,
            s51 = default;
        for (int p = 0; p < k; p++)
        {
            Vector256<T> b0 = Vector256.Load(panel),
                b1 = Vector256.Load(panel + Vector256<T>.Count);
            var x = Vector256.Create(a[0]);
            s00 = VectorMath.MultiplyAdd(x, b0, s00);
            s01 = VectorMath.MultiplyAdd(x, b1, s01);
            x = Vector256.Create(a[1]);
            s10 = VectorMath.MultiplyAdd(x, b0, s10);
            s11 = VectorMath.MultiplyAdd(x, b1, s11);
            x = Vector256.Create(a[2]);
            s20 = VectorMath.MultiplyAdd(x, b0, s20);
            s21 = VectorMath.MultiplyAdd(x, b1, s21);
            x = Vector256.Create(a[3]);
            s30 = VectorMath.MultiplyAdd(x, b0, s30);
            s31 = VectorMath.MultiplyAdd(x, b1, s31);
            x = Vector256.Create(a[4]);
            s40 = VectorMath.MultiplyAdd(x, b0, s40);
            s41 = VectorMath.MultiplyAdd(x, b1, s41);
            x = Vector256.Create(a[5]);
            s50 = VectorMath.MultiplyAdd(x, b0, s50);
            s51 = VectorMath.MultiplyAdd(x, b1, s51);
            a += TileRows;
            panel += 2 * Vector256<T>.Count;
        }
        Add(s00, s01, c, columns);
        if (rows > 1)
            Add(s10, s11, c + cRow, columns);
        if (rows > 2)
            Add(s20, s21, c + 2 * cRow, columns);
        if (rows > 3)
            Add(s30, s31, c + 3 * cRow, columns);
        if (rows > 4)
            Add(s40, s41, c + 4 * cRow, columns);
        if (rows > 5)
            Add(s50, s51, c + 5 * cRow, columns);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<T>(Vector256<T> low, Vector256<T> high, T* c, int columns)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        int width = Vector256<T>.Count;
        VectorMath.Store(c, low + VectorMath.Load(c, columns), columns);
        if (columns > width)
            VectorMath.Store(c + width, high + VectorMath.Load(c + width, columns - width), columns - width);
    }

    // Columns of B beside each other, 0 beyond the last.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Copy<T>(int k, int columns, T* b, nint bRow, T* panel)
        where T : unmanaged
    {
        int width = Vector256<T>.Count;
        for (int p = 0; p < k; p++, b += bRow, panel += 2 * width)
        {
            VectorMath.Load(b, columns).Store(panel);
            (columns > width ? VectorMath.Load(b + width, columns - width) : Vector256<T>.Zero).Store(panel + width);
        }
    }

    // Six columns of A beside each other, tile by tile.
    private static void Turn<T>(int m, int k, T* a, nint aRow, T* to)
        where T : unmanaged
    {
        Workers.Run(
            (m + TurnedColumns - 1) / TurnedColumns,
            (long)m * k,
            part =>
            {
                int first = (int)part * TurnedColumns;
                Columns(Math.Min(TurnedColumns, m - first), k, a + first, aRow, to + first / TileRows * (nint)TileStep);
            }
        );
    }

    // Rows of C beyond the last are 0.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Columns<T>(int columns, int k, T* a, nint aRow, T* to)
        where T : unmanaged
    {
        for (int p = 0; p < k; p++, a += aRow, to += TileRows)
        {
            T* tile = to;
            int i = 0;
            for (; i <= columns - TileRows; i += TileRows, tile += TileStep)
                Unsafe.CopyBlockUnaligned(tile, a + i, (uint)(TileRows * sizeof(T)));
            if (i == columns)
                continue;
            for (int j = 0; j < TileRows; j++)
                tile[j] = i + j < columns ? a[i + j] : default;
        }
    }
}
