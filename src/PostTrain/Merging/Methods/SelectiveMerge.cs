using PostTrain.Adapters;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Merging;

/// <summary>Merges that decide entry by entry, or row by row, what comes from which model.</summary>
public static class SelectiveMerge
{
    /// <summary>Model Stock (Jang et al. 2024, arXiv:2403.19522, eq. 3): between the mean of the models and the base at the ratio
    /// t = N cos θ / (1 + (N−1) cos θ), with cos θ the mean cosine of pairs of task vectors.</summary>
    /// <param name="origin">θ₀, [...].</param>
    /// <param name="tensors">At least two, [...] each.</param>
    /// <param name="filterWise">True for a ratio per row; a tensor of one dimension is one row.</param>
    /// <remarks>t is not clamped: where task vectors point away from each other it is negative, as in mergekit.</remarks>
    public static Tensor ModelStock(Tensor origin, IReadOnlyList<Tensor> tensors, bool filterWise = false)
    {
        ArgumentNullException.ThrowIfNull(origin);
        MergeCheck.Tensors(tensors, 2, origin);
        using var scope = NewDisposeScope();
        var shape = origin.shape;
        Tensor Flat(Tensor values) => filterWise && values.dim() > 1 ? values : values.reshape(-1);
        var start = Flat(origin);
        var deltas = tensors.Select(item => Flat(item) - start).ToArray();
        var norms = deltas.Select(delta => delta.square().sum(-1).sqrt()).ToArray();
        var cosines = new List<Tensor>();
        for (var i = 0; i < deltas.Length; i++)
        for (var j = i + 1; j < deltas.Length; j++)
            cosines.Add(((deltas[i] * deltas[j]).sum(-1) / (norms[i] * norms[j]).clamp_min(1e-6)).clamp(-1, 1));
        var cosine = stack([.. cosines], 0).mean([0L]).unsqueeze(-1);
        double count = tensors.Count;
        var t = cosine * count / (cosine * (count - 1) + 1);
        var mean = tensors.Select(Flat).Aggregate((a, b) => a + b) / count;
        return (mean * t + start * (1 - t)).reshape(shape).MoveToOuterDisposeScope();
    }

    /// <summary>Interpolates towards the other model where it is near: its share of an entry is t / |a − b|, at most 1.</summary>
    /// <param name="origin">a, [...].</param>
    /// <param name="other">b, [...].</param>
    /// <param name="t">Distance up to which b is taken whole, at least 0.</param>
    public static Tensor NearSwap(Tensor origin, Tensor other, double t)
    {
        MergeCheck.Tensors([origin, other], 2);
        Guard.NotNegative(t, nameof(t));
        using var scope = NewDisposeScope();
        var share = ((origin - other).abs().clamp_min(1e-6).reciprocal() * t).clamp(0, 1);
        return (share * other + (1 - share) * origin).MoveToOuterDisposeScope();
    }

    /// <summary>SCE (FuseChat, Wan et al. 2024, arXiv:2408.07990): <b>s</b>elects the entries of largest variance over the models,
    /// <b>c</b>alculates a weight for each model, its mean square there, and <b>e</b>rases entries of the minority's sign.</summary>
    /// <param name="origin">θ₀, [...].</param>
    /// <param name="tensors">[...] each.</param>
    /// <param name="topK">Share of the entries with a variance that are selected, 0 to 1.</param>
    public static Tensor Sce(Tensor origin, IReadOnlyList<Tensor> tensors, double topK = 1)
    {
        ArgumentNullException.ThrowIfNull(origin);
        MergeCheck.Tensors(tensors, 1, origin);
        Guard.Fraction(topK, nameof(topK));
        using var scope = NewDisposeScope();
        var deltas = stack([.. tensors.Select(item => item - origin)], 0);
        if (topK < 1)
            deltas = deltas * SceMask(deltas, topK);
        var agrees = TaskVectors.MajoritySigns(deltas);
        var weights = SceWeights(deltas).reshape([tensors.Count, .. Enumerable.Repeat(1L, (int)origin.dim())]) * agrees;
        return (origin + (deltas * weights).sum(0L) / weights.sum(0L).clamp_min(1e-6)).MoveToOuterDisposeScope();
    }

    /// <summary>SCE's selection: the ⌊k · m⌋ entries of largest variance over the models, with m those that have one.</summary>
    /// <param name="deltas">[N,...] task vectors.</param>
    /// <param name="topK">0 to 1.</param>
    /// <returns>[...] bool.</returns>
    public static Tensor SceMask(Tensor deltas, double topK)
    {
        Guard.Floating(deltas, nameof(deltas));
        Guard.Fraction(topK, nameof(topK));
        if (deltas.dim() < 1 || deltas.size(0) < 1)
            throw new ArgumentException($"deltas has shape {Guard.Shape(deltas)}, expected [N,...] with N at least 1", nameof(deltas));
        using var scope = NewDisposeScope();
        // Equal entries have a variance of 0 exactly, whatever their mean is rounded to.
        var differ = deltas.amax([0L]).ne(deltas.amin([0L]));
        var variance = (deltas - deltas.mean([0L])).square().mean([0L]) * differ;
        var shape = variance.shape;
        var count = (long)(differ.sum().ToInt64() * topK);
        var mask = zeros(variance.numel(), dtype: ScalarType.Bool, device: deltas.device);
        if (topK >= 1)
            mask.fill_(true);
        else if (count > 0)
            mask.index_fill_(0, variance.reshape(-1).topk((int)count).indexes, true);
        return mask.reshape(shape).MoveToOuterDisposeScope();
    }

    /// <summary>SCE's weights: the mean square of each task vector over the sum of all; equal where that is below 1e-6.</summary>
    /// <param name="deltas">[N,...].</param>
    /// <returns>[N].</returns>
    public static Tensor SceWeights(Tensor deltas)
    {
        Guard.Floating(deltas, nameof(deltas));
        if (deltas.dim() < 1 || deltas.numel() == 0)
            throw new ArgumentException($"deltas has shape {Guard.Shape(deltas)}, expected [N,...] with entries", nameof(deltas));
        using var scope = NewDisposeScope();
        var weights = deltas.reshape(deltas.size(0), -1).square().mean([1L]);
        var sum = weights.sum();
        return (sum.ToDouble() < 1e-6 ? full_like(weights, 1.0 / weights.size(0)) : weights / sum).MoveToOuterDisposeScope();
    }

    /// <summary>Arcee Fusion: takes the entries of the other model whose importance |Δ| · KL(softmax(other) ‖ softmax(base)) is at least
    /// the median + 1.5 interquartile ranges.</summary>
    /// <param name="origin">[..., n].</param>
    /// <param name="other">[..., n]; softmax runs over its last dimension.</param>
    public static Tensor ArceeFusion(Tensor origin, Tensor other)
    {
        MergeCheck.Tensors([origin, other], 2);
        using var scope = NewDisposeScope();
        if (origin.numel() == 0)
            return origin.clone().MoveToOuterDisposeScope();
        var importance = FusionImportance(origin, other);
        var mask = importance.ge(FusionThreshold(importance));
        return (origin + (other - origin) * mask).MoveToOuterDisposeScope();
    }

    /// <summary>Importance of each entry in <see cref="ArceeFusion"/>; 1e-8 is added to both probabilities.</summary>
    public static Tensor FusionImportance(Tensor origin, Tensor other)
    {
        MergeCheck.Tensors([origin, other], 2);
        using var scope = NewDisposeScope();
        if (origin.dim() == 0)
            return zeros_like(origin).MoveToOuterDisposeScope();
        var (p, q) = (other.softmax(-1) + 1e-8, origin.softmax(-1) + 1e-8);
        return ((other - origin).abs() * (p * (p / q).log()).sum(-1, keepdim: true)).MoveToOuterDisposeScope();
    }

    /// <summary>Median + 1.5 interquartile ranges, each quantile an entry: the one at ⌊q (n−1)⌋ in order.</summary>
    public static double FusionThreshold(Tensor importance)
    {
        Guard.Floating(importance, nameof(importance));
        if (importance.numel() == 0)
            throw new ArgumentException("importance has no entries, expected at least one", nameof(importance));
        using var scope = NewDisposeScope();
        var sorted = importance.reshape(-1).sort().Values;
        double At(double share) => sorted[(long)(share * (sorted.numel() - 1))].ToDouble();
        return At(0.5) + 1.5 * (At(0.75) - At(0.25));
    }

    /// <summary>RAM: adds what one model changed whole, and what several changed as their mean.</summary>
    /// <param name="origin">[...].</param>
    /// <param name="tensors">[...] each.</param>
    /// <param name="epsilon">An entry counts as changed where |Δ| is above it, at least 0.</param>
    public static Tensor Ram(Tensor origin, IReadOnlyList<Tensor> tensors, double epsilon = 1e-5) =>
        RamPlus(origin, tensors, rate: 0, alpha: 0, epsilon);

    /// <summary>RAM+: as <see cref="Ram"/>, but what one model alone changed is multiplied by 1 + r · clamp(shared / unique, 0, α), with
    /// the numbers of entries that the model changed with others and alone.</summary>
    /// <param name="origin">[...].</param>
    /// <param name="tensors">[...] each.</param>
    /// <param name="rate">r.</param>
    /// <param name="alpha">α, at least 0.</param>
    /// <param name="epsilon">As in <see cref="Ram"/>, and the least that divides.</param>
    public static Tensor RamPlus(Tensor origin, IReadOnlyList<Tensor> tensors, double rate = 0.1, double alpha = 0.2, double epsilon = 1e-5)
    {
        ArgumentNullException.ThrowIfNull(origin);
        MergeCheck.Tensors(tensors, 1, origin);
        MergeCheck.Finite(rate, nameof(rate));
        Guard.NotNegative(alpha, nameof(alpha));
        Guard.NotNegative(epsilon, nameof(epsilon));
        using var scope = NewDisposeScope();
        var deltas = stack([.. tensors.Select(item => item - origin)], 0);
        var changed = deltas.abs().gt(epsilon);
        var count = changed.sum(0L);
        var alone = changed.logical_and(count.eq(1));
        var mixed = (deltas * changed).sum(0L) / count.clamp_min(1).to_type(deltas.dtype);
        if (rate != 0)
        {
            for (var i = 0; i < tensors.Count; i++)
            {
                var unique = alone[i].sum().ToDouble();
                var shared = changed[i].sum().ToDouble() - unique;
                var factor = 1 + rate * Math.Clamp(shared / Math.Max(unique, epsilon), 0, alpha);
                mixed = where(alone[i], deltas[i] * factor, mixed);
            }
        }

        return (origin + mixed).MoveToOuterDisposeScope();
    }
}
