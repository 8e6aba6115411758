using PostTrain.Numerics;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Data.Batches;

/// <summary>Puts rows of different lengths into one tensor, and takes padding out again.</summary>
public static class SequencePadding
{
    /// <summary>Stacks rows, each filled up to one length.</summary>
    /// <param name="rows">At least one row; a row may be empty.</param>
    /// <param name="value">What stands where a row has nothing.</param>
    /// <param name="side">Where that is; the right by default.</param>
    /// <param name="multipleOf">The length is that of the longest row, rounded up to a multiple of this; 1 by default.</param>
    /// <returns>[B,T], int64.</returns>
    /// <exception cref="ArgumentException">There are no rows.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="multipleOf"/> is below 1.</exception>
    public static Tensor Pad(IReadOnlyList<int[]> rows, long value, PaddingSide side = PaddingSide.Right, int multipleOf = 1)
    {
        Guard.AtLeast(multipleOf, 1, nameof(multipleOf));
        if (rows.Count == 0)
            throw new ArgumentException("rows holds nothing, expected at least one", nameof(rows));
        int longest = rows.Max(row => row.Length);
        int length = checked((longest + multipleOf - 1) / multipleOf * multipleOf);
        var padded = new long[rows.Count, length];
        for (int row = 0; row < rows.Count; row++)
        {
            int first = side == PaddingSide.Left ? length - rows[row].Length : 0;
            for (int column = 0; column < length; column++)
                padded[row, column] = column >= first && column < first + rows[row].Length ? rows[row][column - first] : value;
        }

        return tensor(padded);
    }

    /// <summary>Rolls each row so that its first counted position comes first, and drops the columns from the first one in which no row
    /// counts.</summary>
    /// <remarks>What left-padded prompts with right-padded completions become before a forward pass. Values outside of the mask are carried
    /// along.</remarks>
    /// <param name="mask">[B,T], int64; 1 where a position counts. In each row these stand together.</param>
    /// <param name="values">[B,T], of any type.</param>
    /// <returns>Mask and values, [B,T'], T' ≤ T; T' is 0 where nothing counts.</returns>
    /// <exception cref="ArgumentException">Shapes do not agree.</exception>
    public static (Tensor Mask, Tensor Values) FlushLeft(Tensor mask, Tensor values)
    {
        Guard.Rank(mask, nameof(mask), 2, "[B,T]");
        Guard.SameShape(values, nameof(values), mask, nameof(mask));
        using var scope = NewDisposeScope();
        long columns = mask.shape[1];
        if (columns == 0 || mask.shape[0] == 0)
            return (mask.clone().MoveToOuterDisposeScope(), values.clone().MoveToOuterDisposeScope());
        var counted = mask.ne(0).to_type(ScalarType.Int64);
        // The first of several largest ones: counting up from the end gives each position a rank of its own.
        var first = counted.mul(arange(columns, 0, -1, ScalarType.Int64, mask.device)).argmax(1, true);
        var index = (arange(columns, ScalarType.Int64, mask.device) + first).remainder(columns);
        var rolled = mask.gather(1, index);
        bool[] used = [.. counted.gather(1, index).sum(0L).ne(0).cpu().data<bool>()];
        int kept = Array.IndexOf(used, false);
        long length = kept < 0 ? columns : kept;
        return (
            rolled.narrow(1, 0, length).clone().MoveToOuterDisposeScope(),
            values.gather(1, index).narrow(1, 0, length).clone().MoveToOuterDisposeScope()
        );
    }
}
