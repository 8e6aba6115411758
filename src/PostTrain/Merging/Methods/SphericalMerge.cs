using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Merging;

/// <summary>Means along great circles: of directions, with lengths treated apart.</summary>
public static class SphericalMerge
{
    // Beyond this cosine, anti-parallel too, a straight line is taken.
    private const double ParallelCosine = 0.9995;
    private const double Least = 1e-8;

    /// <summary>Spherical interpolation (Shoemake 1985) of two tensors as one vector each: sin((1−t)Ω)/sin Ω · a + sin(tΩ)/sin Ω · b, with
    /// Ω the angle between them.</summary>
    /// <remarks>If |cos Ω| is above 0.9995, (1−t)a + tb. A tensor with a norm below 1e-8 has no direction: the angle is then π/2. As in
    /// mergekit.</remarks>
    /// <param name="start">a, [...].</param>
    /// <param name="end">b, [...].</param>
    /// <param name="t">0 gives a, 1 gives b; beyond them the circle goes on.</param>
    public static Tensor Slerp(Tensor start, Tensor end, double t)
    {
        MergeCheck.Tensors([start, end], 2);
        MergeCheck.Finite(t, nameof(t));
        using var scope = NewDisposeScope();
        var cosine = (Unit(start) * Unit(end)).sum().ToDouble();
        if (double.IsNaN(cosine) || Math.Abs(cosine) > ParallelCosine)
            return (start * (1 - t) + end * t).MoveToOuterDisposeScope();
        var angle = Math.Acos(cosine);
        var sine = Math.Sin(angle);
        return (start * (Math.Sin(angle - angle * t) / sine) + end * (Math.Sin(angle * t) / sine)).MoveToOuterDisposeScope();
    }

    /// <summary>Spherical interpolation with weights, whole or by rows or columns: mergekit's nuslerp. t = w₂ / (w₁ + w₂), and ½ where the
    /// sum is below 1e-6.</summary>
    /// <param name="first">[...].</param>
    /// <param name="second">[...].</param>
    /// <param name="weights">w₁ and w₂.</param>
    /// <param name="origin">If given, the task vectors over it are interpolated.</param>
    /// <param name="flatten">True if the tensors are one vector each.</param>
    /// <param name="columns">Without <paramref name="flatten"/>: true if vectors run along the first dimension, not the last.</param>
    public static Tensor NuSlerp(
        Tensor first,
        Tensor second,
        IReadOnlyList<double> weights,
        Tensor? origin = null,
        bool flatten = true,
        bool columns = false
    )
    {
        MergeCheck.Tensors([first, second], 2, origin);
        MergeCheck.Weights(weights, 2);
        using var scope = NewDisposeScope();
        var sum = weights[0] + weights[1];
        var t = Math.Abs(sum) < 1e-6 ? 0.5 : weights[1] / sum;
        var (a, b) = origin is null ? (first, second) : (first - origin, second - origin);
        var shape = a.shape;
        var turned = !flatten && columns && a.dim() > 1;
        if (flatten || a.dim() == 0)
            (a, b) = (a.reshape(-1), b.reshape(-1));
        else if (turned)
            (a, b) = (a.transpose(0, -1), b.transpose(0, -1));
        var cosine = (Row(a) * Row(b)).sum(-1, keepdim: true).clamp(-1, 1);
        var angle = cosine.acos();
        var sine = angle.sin();
        var straight = a * (1 - t) + b * t;
        var curved = ((angle * (1 - t)).sin() * a + (angle * t).sin() * b) / sine;
        var result = where(sine.abs().lt(Least).expand_as(curved), straight, curved);
        result = (turned ? result.transpose(0, -1) : result).reshape(shape);
        return (origin is null ? result.contiguous() : result + origin).MoveToOuterDisposeScope();

        static Tensor Row(Tensor values) => values / values.square().sum(-1, keepdim: true).sqrt().clamp_min(1e-7);
    }

    /// <summary>Several tensors in the tangent space at their mean direction: mergekit's multislerp. The result's norm is the weighted sum
    /// of the norms.</summary>
    /// <param name="tensors">[...] each.</param>
    /// <param name="weights">One a tensor.</param>
    /// <param name="origin">If given, the task vectors over it are merged.</param>
    /// <param name="normalizeWeights">True to divide weights by their sum.</param>
    /// <param name="epsilon">Added to norms that divide.</param>
    /// <exception cref="ArgumentException">Three or more directions cancel, so that they have no mean.</exception>
    public static Tensor MultiSlerp(
        IReadOnlyList<Tensor> tensors,
        IReadOnlyList<double> weights,
        Tensor? origin = null,
        bool normalizeWeights = true,
        double epsilon = Least
    )
    {
        MergeCheck.Tensors(tensors, 1, origin);
        MergeCheck.Weights(weights, tensors.Count);
        Guard.Positive(epsilon, nameof(epsilon));
        var sum = weights.Sum();
        if (normalizeWeights && sum == 0)
            throw new ArgumentOutOfRangeException(nameof(weights), sum, "weights must not add up to 0 where they are divided by their sum");
        using var scope = NewDisposeScope();
        if (tensors.Count == 1)
            return tensors[0].clone().MoveToOuterDisposeScope();
        var shares = weights.Select(weight => normalizeWeights ? weight / sum : weight).ToArray();
        var all = stack([.. tensors.Select(item => (origin is null ? item : item - origin).reshape(-1))], 0);
        var column = tensor(shares, dtype: all.dtype, device: all.device).unsqueeze(1);
        var norms = all.square().sum(1, keepdim: true).sqrt();
        var units = all / (norms + epsilon);
        var mean = (units * column).sum(0L);
        var length = Length(mean);
        Tensor result;
        if (length < epsilon)
        {
            if (tensors.Count > 2)
                throw new ArgumentException("the weighted directions of tensors cancel: they have no mean", nameof(tensors));
            result = (all * column).sum(0L);
        }
        else
        {
            mean = mean / length;
            var tangents = units - (units * mean).sum(1, keepdim: true) * mean;
            var tangent = (tangents * column).sum(0L);
            var reach = Length(tangent) + epsilon;
            result = (mean * Math.Cos(reach) + tangent * (Math.Sin(reach) / reach)) * (norms * column).sum();
        }

        result = result.reshape(tensors[0].shape);
        return (origin is null ? result.clone() : result + origin).MoveToOuterDisposeScope();
    }

    /// <summary>Riemannian (Karcher) mean of the directions by fixed-point steps, with equal weights; the result's norm is the mean of the
    /// norms, those of zero tensors included.</summary>
    /// <param name="tensors">[...] each.</param>
    /// <param name="maxIterations">Most steps, at least 0.</param>
    /// <param name="tolerance">Steps end where the tangent is shorter.</param>
    public static Tensor Karcher(IReadOnlyList<Tensor> tensors, int maxIterations = 10, double tolerance = 1e-5)
    {
        MergeCheck.Tensors(tensors, 1);
        Guard.AtLeast(maxIterations, 0, nameof(maxIterations));
        Guard.Positive(tolerance, nameof(tolerance));
        using var scope = NewDisposeScope();
        if (tensors.Count == 1)
            return tensors[0].clone().MoveToOuterDisposeScope();
        var norms = tensors.Select(Length).ToArray();
        Tensor[] units = [.. tensors.Zip(norms).Where(pair => pair.Second > tolerance).Select(pair => pair.First / pair.Second)];
        if (units.Length == 0)
            return zeros_like(tensors[0]).MoveToOuterDisposeScope();
        var point = units.Aggregate((a, b) => a + b) / units.Length;
        var start = Length(point);
        point = start < tolerance ? units[0].clone() : point / start;
        for (var step = 0; step < maxIterations; step++)
        {
            using var inner = NewDisposeScope();
            var tangent = Tangent(point, units, tolerance);
            var length = Length(tangent);
            if (length < tolerance)
                break;
            var next = point * Math.Cos(length) + tangent * (Math.Sin(length) / length);
            point = (next / Length(next)).MoveToOuterDisposeScope();
        }

        return (point * norms.Average()).MoveToOuterDisposeScope();
    }

    // The mean of the directions seen from a point.
    private static Tensor Tangent(Tensor point, Tensor[] units, double tolerance)
    {
        var tangent = zeros_like(point);
        foreach (var unit in units)
        {
            var cosine = Math.Clamp((point * unit).sum().ToDouble(), -1, 1);
            var angle = Math.Acos(cosine);
            var sine = Math.Sin(angle);
            if (angle >= tolerance && sine >= tolerance)
                tangent.add_((unit - point * cosine) * (angle / sine / units.Length));
        }

        return tangent;
    }

    private static double Length(Tensor values)
    {
        using var scope = NewDisposeScope();
        return values.square().sum().sqrt().ToDouble();
    }

    private static Tensor Unit(Tensor values)
    {
        var length = Length(values);
        return length > Least ? values / length : values;
    }
}
