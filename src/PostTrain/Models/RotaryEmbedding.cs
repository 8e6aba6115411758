using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>
/// Rotary position embedding (Su et al. 2021, arXiv:2104.09864) in Hugging Face's layout: element i is paired with i + Dh/2, and the pair at
/// position m is turned by the angle m θ^(−2i/Dh).
/// </summary>
internal sealed class RotaryEmbedding(int headSize, int capacity, double theta) : IDisposable
{
    private Tensor? cosines;
    private Tensor? sines;

    /// <summary>The tables' rows of given positions.</summary>
    /// <param name="positions">[B,T] int64, or null for <paramref name="start"/>, start + 1, ...</param>
    /// <param name="start">The first position where none are given.</param>
    /// <param name="length">T.</param>
    /// <param name="like">A tensor whose type and place the rows take.</param>
    /// <returns>cos and sin, [B or 1,T,1,2,Dh/2]; sin has its sign folded in: −sin for the first half, +sin for the second.</returns>
    public (Tensor Cosine, Tensor Sine) At(Tensor? positions, long start, long length, Tensor like)
    {
        Prepare(like);
        return (Rows(cosines!), Rows(sines!));

        Tensor Rows(Tensor table) => positions is null
            ? table.narrow(0, start, length).unsqueeze(0)
            : table.index_select(0, positions.reshape(-1)).reshape(positions.size(0), length, 1, 2, headSize / 2);
    }

    /// <summary>Turns the heads of [B,T,H,Dh].</summary>
    public static Tensor Rotate(Tensor heads, Tensor cosine, Tensor sine)
    {
        using var scope = NewDisposeScope();
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

    // Made once, in float64, and again only when the model has moved to another type or device.
    private void Prepare(Tensor like)
    {
        if (cosines is not null && cosines.dtype == like.dtype && cosines.device_type == like.device_type && cosines.device_index == like.device_index)
            return;
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var half = headSize / 2;
        var frequencies = new double[half];
        for (var i = 0; i < half; i++)
            frequencies[i] = Math.Pow(theta, -2.0 * i / headSize);
        var angles = arange(capacity, dtype: ScalarType.Float64).unsqueeze(1) * tensor(frequencies);
        var (cosine, sine) = (angles.cos(), angles.sin());
        Dispose();
        cosines = Table([cosine, cosine]);
        sines = Table([-sine, sine]);

        Tensor Table(Tensor[] halves) =>
            stack(halves, 1).unsqueeze(1).to(like.dtype, like.device).DetachFromDisposeScope();
    }
}
