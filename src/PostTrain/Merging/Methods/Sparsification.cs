using PostTrain.Adapters;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Merging;

/// <summary>Sparsification of a task vector: the choice of the kept entries, and their rescaling.</summary>
/// <remarks>Masks are bool tensors of the task vector's shape, true where an entry stays. All functions return fresh tensors.</remarks>
public static class Sparsification
{
    // Below it a norm counts as 0, and nothing is rescaled.
    private const double LeastNorm = 1e-7;

    /// <summary>The ⌊density · n⌋ entries of largest magnitude.</summary>
    /// <param name="delta">[...].</param>
    /// <param name="density">0 to 1.</param>
    public static Tensor MagnitudeMask(Tensor delta, double density) => TaskVectors.LargestMask(delta, density);

    /// <summary>Drops the largest and the smallest entries: ⌊gamma · n⌋ of the largest, then the smallest until ⌊density · n⌋ are left; if
    /// that exceeds the remaining number, fewer of the largest are dropped.</summary>
    /// <remarks>mergekit's slice is empty if no large entry is dropped, ⌊gamma · n⌋ = 0, so that nothing of the task vector is kept: with
    /// the usual gamma of 0.01 in every tensor of fewer than 100 entries. The mergekit convention does the same here; the other keeps the
    /// density's number.</remarks>
    /// <param name="delta">[...].</param>
    /// <param name="density">0 to 1; 1 keeps all.</param>
    /// <param name="gamma">0 to 1.</param>
    /// <param name="convention">With mergekit's, nothing is kept if no large entry is dropped.</param>
    public static Tensor OutlierMask(Tensor delta, double density, double gamma, Convention convention = Convention.Mergekit)
    {
        Guard.Floating(delta, nameof(delta));
        Guard.Fraction(density, nameof(density));
        Guard.Fraction(gamma, nameof(gamma));
        using var scope = NewDisposeScope();
        if (density >= 1)
            return ones_like(delta, dtype: ScalarType.Bool).MoveToOuterDisposeScope();
        var count = delta.numel();
        var (kept, top) = ((long)(density * count), (long)(gamma * count));
        var bottom = count - kept - top;
        if (bottom < 0)
            (top, bottom) = (top + bottom, 0);
        var mask = zeros(count, dtype: ScalarType.Bool, device: delta.device);
        if (top > 0 || convention == Convention.Peft)
        {
            var order = delta.abs().reshape(-1).argsort();
            mask.index_fill_(0, order.narrow(0, bottom, count - bottom - top), true);
        }

        return mask.reshape(delta.shape).MoveToOuterDisposeScope();
    }

    /// <summary>DELLA's probabilities of staying: inside each row from density − epsilon for the smallest magnitude to density + epsilon
    /// for the largest, by rank; a tensor of one dimension is one row.</summary>
    /// <param name="delta">[..., n].</param>
    /// <param name="density">Above 0, to 1; 1 keeps all.</param>
    /// <param name="epsilon">At least 0; density ± epsilon lies between 0 and 1, ends excluded.</param>
    public static Tensor KeepProbability(Tensor delta, double density, double epsilon)
    {
        Guard.Floating(delta, nameof(delta));
        Guard.Fraction(density, nameof(density));
        Guard.NotNegative(epsilon, nameof(epsilon));
        using var scope = NewDisposeScope();
        if (density >= 1 || density == 0)
            return full_like(delta, density).MoveToOuterDisposeScope();
        if (density + epsilon >= 1 || density - epsilon <= 0)
            throw new ArgumentOutOfRangeException(
                nameof(epsilon),
                epsilon,
                FormattableString.Invariant($"epsilon must leave density ± epsilon between 0 and 1; density is {density}")
            );
        if (delta.dim() == 0 || delta.numel() == 0 || delta.size(-1) == 1)
            return full_like(delta, density).MoveToOuterDisposeScope();
        var ranks = delta.abs().argsort(-1).argsort(-1).to_type(delta.dtype);
        return (ranks / (double)(delta.size(-1) - 1) * (2 * epsilon) + (density - epsilon)).MoveToOuterDisposeScope();
    }

    /// <summary>Draws a mask.</summary>
    /// <param name="probabilities">[...] of staying.</param>
    /// <param name="seed">The same seed and stream give the same mask.</param>
    /// <param name="stream">Another stream of the same seed.</param>
    public static Tensor RandomMask(Tensor probabilities, ulong seed, ulong stream = 0)
    {
        Guard.Floating(probabilities, nameof(probabilities));
        using var scope = NewDisposeScope();
        var values = probabilities.detach().cpu().to_type(ScalarType.Float64).contiguous().reshape(-1).data<double>();
        var kept = new bool[values.Count];
        var index = 0;
        foreach (var probability in values)
        {
            kept[index] = CounterRandom.Uniform(seed, stream, (ulong)index) < probability;
            index++;
        }

        return tensor(kept, device: probabilities.device).reshape(probabilities.shape).MoveToOuterDisposeScope();
    }

    /// <summary>Applies a mask. The kept entries are multiplied by the norm before over the norm after, unless either is below
    /// 1e-7.</summary>
    /// <param name="delta">[...].</param>
    /// <param name="mask">[...] bool.</param>
    /// <param name="norm">Norm that is restored.</param>
    public static Tensor Apply(Tensor delta, Tensor mask, RescaleNorm norm = RescaleNorm.None)
    {
        Guard.Floating(delta, nameof(delta));
        Guard.SameShape(mask, nameof(mask), delta, nameof(delta));
        using var scope = NewDisposeScope();
        var kept = delta * mask;
        if (norm == RescaleNorm.None || delta.numel() == 0)
            return kept.MoveToOuterDisposeScope();
        var (before, after) = (Norm(delta, norm), Norm(kept, norm));
        if (!(before.ToDouble() >= LeastNorm) || !(after.ToDouble() >= LeastNorm))
            return kept.MoveToOuterDisposeScope();
        return (kept * (before / after)).MoveToOuterDisposeScope();
    }

    /// <summary>Applies a mask. The kept entries are divided by the probability of being kept: the mean over masks is the task
    /// vector.</summary>
    /// <param name="delta">[...].</param>
    /// <param name="mask">[...] bool.</param>
    /// <param name="probabilities">[...], above 0.</param>
    public static Tensor ApplyUnbiased(Tensor delta, Tensor mask, Tensor probabilities)
    {
        Guard.Floating(delta, nameof(delta));
        Guard.SameShape(mask, nameof(mask), delta, nameof(delta));
        Guard.SameShape(probabilities, nameof(probabilities), delta, nameof(delta));
        using var scope = NewDisposeScope();
        return (delta * mask / probabilities).MoveToOuterDisposeScope();
    }

    /// <summary>A task vector with entries dropped, by its kind.</summary>
    /// <param name="delta">[...].</param>
    /// <param name="options">Kind, density, rescaling.</param>
    /// <param name="seed">Seed of random kinds; a mask depends on seed and stream.</param>
    /// <param name="stream">Another stream of the same seed.</param>
    public static Tensor Sparsify(Tensor delta, SparsificationOptions options, ulong seed = 0, ulong stream = 0)
    {
        Guard.Floating(delta, nameof(delta));
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        using var scope = NewDisposeScope();
        // All stay, and nothing is rescaled.
        if (options.Kind == SparsificationKind.None || options.Density >= 1)
            return delta.clone().MoveToOuterDisposeScope();
        if (options.Kind is SparsificationKind.Magnitude or SparsificationKind.Outliers)
        {
            var chosen =
                options.Kind == SparsificationKind.Magnitude
                    ? MagnitudeMask(delta, options.Density)
                    : OutlierMask(delta, options.Density, options.Gamma, options.Convention);
            return Apply(delta, chosen, options.Norm).MoveToOuterDisposeScope();
        }

        var probabilities =
            options.Kind == SparsificationKind.Random
                ? full_like(delta, options.Density)
                : KeepProbability(delta, options.Density, options.Epsilon);
        return Masked(delta, RandomMask(probabilities, seed, stream), probabilities, options).MoveToOuterDisposeScope();
    }

    /// <summary>A task vector under a mask that was drawn.</summary>
    internal static Tensor Masked(Tensor delta, Tensor mask, Tensor probabilities, SparsificationOptions options) =>
        options is { Convention: Convention.Peft, Rescale: true }
            ? options.Density == 0
                ? zeros_like(delta)
                : ApplyUnbiased(delta, mask, probabilities)
            : Apply(delta, mask, options.Norm);

    private static Tensor Norm(Tensor values, RescaleNorm norm) =>
        norm switch
        {
            RescaleNorm.L1 => values.abs().sum(),
            RescaleNorm.L2 => values.square().sum().sqrt(),
            RescaleNorm.Max => values.abs().max(),
            _ => throw new ArgumentOutOfRangeException(nameof(norm), norm, "norm must be None, L1, L2 or Max"),
        };
}
