using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Estimators;

/// <summary>
/// Packs the counted positions of each row to its front, so that the next step is the next column whatever was between them. Its tensors
/// belong to the caller's scope.
/// </summary>
internal sealed class CountedSteps
{
    // Long enough for few blocks per row, short enough that the triangular product costs little more than the sum itself.
    private const int BlockLength = 128;

    private readonly Tensor places;
    private readonly Tensor counted;
    private readonly Tensor lengths;
    private readonly Tensor inside;

    internal CountedSteps(Tensor mask)
    {
        counted = mask.dtype == ScalarType.Bool ? mask : mask != 0;
        var upTo = counted.to_type(ScalarType.Int64).cumsum(1);
        // Uncounted positions are written to a column after the last one, which is cut off.
        places = where(counted, upTo - 1, mask.shape[1]);
        lengths = counted.to_type(ScalarType.Int64).sum(1).unsqueeze(1);
        inside = arange(mask.shape[1], dtype: ScalarType.Int64, device: mask.device).unsqueeze(0) < lengths;
    }

    /// <summary>Returns [B,T]: the counted values at the front of each row, 0 after them.</summary>
    internal Tensor Pack(Tensor values)
    {
        var (rows, columns) = (values.shape[0], values.shape[1]);
        return values.new_zeros(rows, columns + 1).scatter(1, places, values).narrow(1, 0, columns).masked_fill(inside.logical_not(), 0);
    }

    /// <summary>Returns [B,T]: packed values at their original positions, 0 elsewhere.</summary>
    internal Tensor Unpack(Tensor packed) =>
        packed.shape[1] == 0
            ? packed.clone()
            : packed.gather(1, places.clamp(0, packed.shape[1] - 1)).masked_fill(counted.logical_not(), 0);

    /// <summary>Returns [B,T]: at each packed step the value of the next one, and <paramref name="last"/> [B] (null means 0) at a row's
    /// last step.</summary>
    internal Tensor Next(Tensor packed, Tensor? last)
    {
        var (rows, columns) = (packed.shape[0], packed.shape[1]);
        if (columns == 0)
            return packed;
        var shifted = cat([packed.narrow(1, 1, columns - 1), packed.new_zeros(rows, 1)], 1);
        return last is null ? shifted : where(Last(), last.detach().to_type(packed.dtype).unsqueeze(1), shifted);
    }

    /// <summary>Computes [B,T]: Σ_k d^k·x_{t+k} over the packed steps of a row.</summary>
    /// <remarks>
    /// Processes blocks of steps from the end: a product with the triangle of powers of d within the block, plus one number per row for the
    /// steps after it. The same sums as the recursion s_t = x_t + d·s_{t+1}, with T/128 times four operators.
    /// </remarks>
    internal static Tensor DiscountedSums(Tensor packed, double discount)
    {
        long columns = packed.shape[1];
        if (columns == 0)
            return packed.clone();
        var blocks = new List<Tensor>();
        Tensor? behind = null;
        int full = (int)Math.Min(columns, BlockLength);
        var (allTriangle, allPowers) = Powers(full, discount, packed);
        for (long end = columns; end > 0; end -= BlockLength)
        {
            long start = Math.Max(0, end - BlockLength);
            int length = (int)(end - start);
            var (triangle, powers) =
                length == full
                    ? (allTriangle, allPowers)
                    : (
                        allTriangle.narrow(0, 0, length).narrow(1, 0, length).contiguous(),
                        allPowers.narrow(1, full - length, length).contiguous()
                    );
            var sums = packed.narrow(1, start, length).matmul(triangle);
            if (behind is not null)
                sums += behind * powers;
            behind = sums.narrow(1, 0, 1);
            blocks.Insert(0, sums);
        }
        return blocks.Count == 1 ? blocks[0] : cat(blocks, 1);
    }

    private Tensor Last() =>
        inside.logical_and(arange(inside.shape[1], dtype: ScalarType.Int64, device: inside.device).unsqueeze(0).eq(lengths - 1));

    // triangle[j,i] = d^(j−i) for j ≥ i: the contribution of step j to step i. powers[i] = d^(n−i): that of the step after the block.
    private static (Tensor Triangle, Tensor Powers) Powers(int length, double discount, Tensor like)
    {
        var triangle = new double[length, length];
        var powers = new double[1, length];
        for (int i = 0; i < length; i++)
        {
            powers[0, i] = Math.Pow(discount, length - i);
            for (int j = i; j < length; j++)
                triangle[j, i] = Math.Pow(discount, j - i);
        }
        return (tensor(triangle).to(like.dtype, like.device), tensor(powers).to(like.dtype, like.device));
    }
}
