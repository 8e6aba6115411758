using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>Round to nearest in groups of a row.</summary>
/// <remarks>Ranges of absmax quantisation, of GPTQ (Frantar et al. 2022, arXiv:2210.17323) and of AWQ (Lin et al. 2023, arXiv:2306.00978).
/// Halves go to the even neighbour.</remarks>
public static class IntegerQuantization
{
    /// <summary>Quantises a matrix.</summary>
    /// <param name="tensor">[rows, columns], finite.</param>
    /// <param name="options">Bits, groups, range.</param>
    /// <exception cref="ArgumentException">It is no matrix of finite numbers.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public static IntegerQuantized Quantize(Tensor tensor, IntegerOptions? options = null)
    {
        options ??= new IntegerOptions();
        options.Validate();
        QuantizedTensor.CheckInput(tensor, nameof(tensor));
        Guard.Rank(tensor, nameof(tensor), 2, "[rows, columns]");
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var x = tensor.detach().AtLeastSingle();
        var (columns, size) = (x.size(1), GroupSize(options, x.size(1)));
        var scales = new List<IntegerScale>();
        var codes = new List<Tensor>();
        for (long start = 0; start < columns; start += size)
        {
            var part = x.narrow(1, start, Math.Min(size, columns - start));
            scales.Add(IntegerScale.Of(part, options));
            codes.Add(scales[^1].Codes(part));
        }

        return Record(tensor, options.Bits, size, cat(codes, 1), scales, null);
    }

    /// <summary>Computes the values of <see cref="Quantize"/> of a matrix as numbers, for searches that need no codes.</summary>
    internal static Tensor Rounded(Tensor tensor, IntegerOptions options)
    {
        using var scope = NewDisposeScope();
        var (columns, size) = (tensor.size(1), GroupSize(options, tensor.size(1)));
        if (!options.PerTensor && columns % size == 0)
        {
            var groups = tensor.reshape(-1, size);
            return IntegerScale.Of(groups, options).Apply(groups).reshape(tensor.shape).MoveToOuterDisposeScope();
        }

        var parts = new List<Tensor>();
        for (long start = 0; start < columns; start += size)
        {
            var part = tensor.narrow(1, start, Math.Min(size, columns - start));
            parts.Add(IntegerScale.Of(part, options).Apply(part));
        }

        return cat(parts, 1).MoveToOuterDisposeScope();
    }

    internal static int GroupSize(IntegerOptions options, long columns) =>
        options.GroupSize == 0 ? (int)columns : (int)Math.Min(options.GroupSize, columns);

    /// <summary>Codes as numbers with the groups' scales, packed; the record is in no dispose scope.</summary>
    internal static IntegerQuantized Record(
        Tensor tensor,
        int bits,
        int groupSize,
        Tensor codes,
        IReadOnlyList<IntegerScale> scales,
        Tensor? groupOf
    )
    {
        using var scope = NewDisposeScope();
        return new IntegerQuantized(
            tensor.shape,
            tensor.dtype,
            bits,
            groupSize,
            CodePacking.Pack(codes.to_type(ScalarType.Byte), bits).DetachFromDisposeScope(),
            cat([.. scales.Select(scale => scale.Scale)], 1).contiguous().DetachFromDisposeScope(),
            cat([.. scales.Select(scale => scale.Zero)], 1).to_type(ScalarType.Byte).contiguous().DetachFromDisposeScope(),
            groupOf?.to_type(ScalarType.Int32).contiguous().DetachFromDisposeScope()
        );
    }
}
