using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>Rotary position embedding (Su et al. 2021, arXiv:2104.09864) in Hugging Face's layout: element i is paired with i + Dh/2, and
/// the pair at position m is rotated by the angle m ω_i, ω_i = θ^(−2i/Dh) unless a <see cref="RotaryScaling"/> changes it. If only the
/// first d elements are rotated, d replaces Dh.</summary>
internal sealed class RotaryEmbedding(int headSize, int capacity, RotarySpec spec) : IDisposable
{
    private const long SmallestTable = 256;

    private readonly int size = spec.Size(headSize);
    private Tensor? cosines;
    private Tensor? sines;
    private long tableLength;

    /// <summary>Returns the tables' rows of the given positions.</summary>
    /// <param name="positions">[B,T] int64, or null for <paramref name="start"/>, start + 1, ...</param>
    /// <param name="start">The first position if none are given.</param>
    /// <param name="length">T.</param>
    /// <param name="like">A tensor with the type and device of the rows.</param>
    /// <param name="lengths">[B,T], tokens of each position's own sequence, if <see cref="DependsOnLength"/>; null: the longest
    /// decides.</param>
    /// <returns>cos and sin, [B or 1,T,1,2,d/2]; sin includes its sign: −sin for the first half, +sin for the second.</returns>
    public (Tensor Cosine, Tensor Sine) At(Tensor? positions, long start, long length, Tensor like, Tensor? lengths = null)
    {
        if (positions is not null && lengths is not null && DependsOnLength(start + length))
            return OfEach(positions, lengths, like);
        Prepare(like, LongSequence(positions, start + length), Math.Min(start + length, capacity));
        return (Rows(cosines!), Rows(sines!));

        Tensor Rows(Tensor table) =>
            positions is null
                ? table.narrow(0, start, length).unsqueeze(0)
                : table.index_select(0, positions.reshape(-1)).reshape(positions.size(0), length, 1, 2, size / 2);
    }

    /// <summary>Elements of a head that are turned, d.</summary>
    internal int Size => size;

    /// <summary>The tables, [≥ length,1,2,d/2], of a length on which the frequencies do not depend; they belong to the
    /// embedding.</summary>
    internal (Tensor Cosines, Tensor Sines) Tables(long length, Tensor like)
    {
        Prepare(like, 0, Math.Min(length, capacity));
        return (cosines!, sines!);
    }

    /// <summary>Returns true if the length of a sequence of this many positions changes the frequencies.</summary>
    public bool DependsOnLength(long total) => spec.Scaling is DynamicScaling scaling && total > scaling.OriginalLength;

    /// <summary>Rotates the first elements of the heads of [B,T,H,Dh], as many as the tables have.</summary>
    public static Tensor Rotate(Tensor heads, Tensor cosine, Tensor sine)
    {
        using var scope = NewDisposeScope();
        var size = 2 * cosine.size(-1);
        if (size < heads.size(-1))
            return cat([Rotate(heads.narrow(-1, 0, size), cosine, sine), heads.narrow(-1, size, heads.size(-1) - size)], -1)
                .MoveToOuterDisposeScope();
        var shape = heads.shape;
        var pairs = heads.reshape(shape[0], shape[1], shape[2], 2, shape[3] / 2);
        return (pairs * cosine + pairs.flip(3) * sine).reshape(shape).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        cosines?.Dispose();
        sines?.Dispose();
        (cosines, sines) = (null, null);
    }

    // Length of the sequence, if a scaling makes the frequencies depend on it; otherwise 0.
    private long LongSequence(Tensor? positions, long total)
    {
        if (!DependsOnLength(total))
            return 0;
        using var longest = positions?.max();
        var length = longest is null ? total : longest.ToInt64() + 1;
        return DependsOnLength(length) ? length : 0;
    }

    // Sequences of different lengths have their own frequencies and no table.
    private (Tensor Cosine, Tensor Sine) OfEach(Tensor positions, Tensor lengths, Tensor like)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var scaling = (DynamicScaling)spec.Scaling!;
        var angles = positions.to_type(ScalarType.Float64).unsqueeze(-1) * scaling.FrequenciesOf(lengths, spec.Theta, size);
        var (cosine, sine) = (angles.cos(), angles.sin());
        return (Rows(cosine, cosine), Rows(-sine, sine));

        Tensor Rows(Tensor first, Tensor second) =>
            stack([first, second], 2).unsqueeze(2).to(like.dtype, like.device).MoveToOuterDisposeScope();
    }

    // Computed in float64 for the positions used so far, doubled: contexts of a million tokens are declared but seldom used. Computed again
    // only after a change of the model's type or device, for longer sequences, or for another length that matters.
    private void Prepare(Tensor like, long length, long needed)
    {
        if (
            cosines is not null
            && tableLength == length
            && cosines.size(0) >= needed
            && cosines.dtype == like.dtype
            && cosines.device_type == like.device_type
            && cosines.device_index == like.device_index
        )
            return;
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var frequencies = spec.Scaling?.Frequencies(spec.Theta, size, length) ?? RotaryScaling.Plain(spec.Theta, size);
        var factor = spec.Scaling?.AttentionFactor ?? 1;
        var angles =
            arange(Math.Max(length, Math.Min(capacity, Math.Max(SmallestTable, 2 * needed))), dtype: ScalarType.Float64).unsqueeze(1)
            * tensor(frequencies);
        var (cosine, sine) = (angles.cos().mul(factor), angles.sin().mul(factor));
        Dispose();
        tableLength = length;
        cosines = Table([cosine, cosine]);
        sines = Table([-sine, sine]);

        Tensor Table(Tensor[] halves) => stack(halves, 1).unsqueeze(1).to(like.dtype, like.device).DetachFromDisposeScope();
    }
}
