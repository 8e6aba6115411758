using PostTrain.Models;
using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Compression.Pruning;

/// <summary>Weights as products of two thin matrices, by singular values.</summary>
public static class LowRank
{
    private const double LeastEigenvalue = 1e-12;

    /// <summary>The best approximation of rank r in Frobenius' norm (Eckart, Young 1936).</summary>
    /// <param name="weight">[out,in], finite.</param>
    /// <param name="rank">r, from 1 to the smaller side.</param>
    public static LowRankFactors Factorize(Tensor weight, int rank)
    {
        Check(weight, rank);
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var w = weight.detach().cpu().AtLeastSingle();
        return Cut(w, null, rank, weight);
    }

    /// <summary>The best approximation of rank r for the layer's outputs on given inputs: of W S with S Sᵀ = Σ x xᵀ, which makes
    /// ‖(W − BA) X‖ least (as ASVD and SVD-LLM do: Wang et al. 2024, arXiv:2403.07378).</summary>
    /// <param name="weight">[out,in], finite.</param>
    /// <param name="rank">r, from 1 to the smaller side.</param>
    /// <param name="gram">Σ x xᵀ, [in,in] (<see cref="LayerStatistics.Gram"/>). It may be singular: directions that no input has
    /// do not count.</param>
    /// <exception cref="ArgumentException">Shapes do not agree.</exception>
    public static LowRankFactors Factorize(Tensor weight, int rank, Tensor gram)
    {
        Check(weight, rank);
        InverseFactor.Check(gram, weight.size(1));
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        // In float64: the square root of a Gram matrix has the square root of its condition.
        var (values, vectors) = linalg.eigh(gram.detach().cpu().to_type(ScalarType.Float64));
        var floor = values.max().clamp_min(0) * LeastEigenvalue;
        var counted = values.gt(floor);
        var root = values.clamp_min(0).sqrt() * counted.to_type(ScalarType.Float64);
        var inverse = where(counted, root.reciprocal(), zeros_like(root));
        var (forward, back) = ((vectors * root).mm(vectors.t()), (vectors * inverse).mm(vectors.t()));
        return Cut(weight.detach().cpu().to_type(ScalarType.Float64), (forward, back), rank, weight);
    }

    /// <summary>The largest rank whose factors are no larger than a part of the weight.</summary>
    /// <param name="outputs">Rows.</param>
    /// <param name="inputs">Columns.</param>
    /// <param name="part">Above 0 and at most 1.</param>
    public static int RankFor(long outputs, long inputs, double part)
    {
        Guard.Positive(part, nameof(part));
        Guard.Fraction(part, nameof(part));
        return (int)Math.Max(1, Math.Floor(part * outputs * inputs / (outputs + inputs)));
    }

    /// <summary>Replaces linear layers of a model by two factors each, which can be trained.</summary>
    /// <param name="model">The model, without adapters.</param>
    /// <param name="part">The size of a layer's factors as a part of its weight, above 0 and at most 1.</param>
    /// <param name="options">The layers. With a calibration that kept the Gram matrices the metric of the activations is used.</param>
    /// <param name="progress">Told after each layer.</param>
    /// <param name="cancellation">Stops between two layers; those done stay replaced.</param>
    /// <returns>The rank of each layer.</returns>
    /// <exception cref="ArgumentException">A target names no plain linear layer or one that cannot be replaced.</exception>
    public static IReadOnlyDictionary<string, int> Apply(
        nn.Module model,
        double part,
        PruningOptions? options = null,
        IProgress<CompressionProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        options ??= new PruningOptions();
        Guard.Positive(part, nameof(part));
        Guard.Fraction(part, nameof(part));
        var sites = LayerSite.Of(model, options.Targets, options.Exclude);
        LayerSite.CheckReplaceable(model, sites);
        if (sites.FirstOrDefault(site => site.Module is not Linear) is { } other)
            throw new ArgumentException(
                $"the layer '{other.Name}' is a {other.Module.GetName()}, expected a plain linear one",
                nameof(model)
            );
        var ranks = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var site in sites)
        {
            cancellation.ThrowIfCancellationRequested();
            var rank = RankFor(site.Leaf.Outputs, site.Leaf.Inputs, part);
            using var factors = options.Calibration is { } calibration
                ? Factorize(site.Leaf.Weight, rank, calibration[site.Name].Gram)
                : Factorize(site.Leaf.Weight, rank);
            var before = site.Module;
            site.Replace(new LowRankLinear(factors, site.Leaf.Bias, site.Leaf.Type));
            before.Dispose();
            ranks.Add(site.Name, rank);
            progress?.Report(new CompressionProgress(ranks.Count, sites.Count, site.Name));
        }

        return ranks;
    }

    /// <summary>Replaces every layer of two factors by a plain one with their product.</summary>
    /// <returns>The layers' names.</returns>
    public static IReadOnlyList<string> Restore(nn.Module model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var names = new List<string>();
        foreach (var (name, module) in model.named_modules().Where(item => item.module is LowRankLinear).ToList())
        {
            var dot = name.LastIndexOf('.');
            var owner = dot < 0 ? model : model.named_modules().First(item => item.name == name[..dot]).module;
            using var layer = (LowRankLinear)module;
            using var mode = no_grad();
            ((ILayerOwner)owner).ReplaceLayer(name[(dot + 1)..], Quantization.ModelQuantization.Plain(layer.B.mm(layer.A), layer.Bias));
            names.Add(name);
        }

        return names;
    }

    private static void Check(Tensor weight, int rank)
    {
        Quantization.QuantizedTensor.CheckInput(weight, nameof(weight));
        Guard.Rank(weight, nameof(weight), 2, "[out, in]");
        Guard.AtLeast(rank, 1, nameof(rank));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rank, Math.Min(weight.size(0), weight.size(1)));
    }

    private static LowRankFactors Cut(Tensor w, (Tensor Forward, Tensor Back)? metric, int rank, Tensor like)
    {
        var (u, s, vh) = linalg.svd(metric is { } m ? w.mm(m.Forward) : w, false);
        var root = s.narrow(0, 0, rank).sqrt();
        var a = vh.narrow(0, 0, rank) * root.unsqueeze(1);
        if (metric is { } back)
            a = a.mm(back.Back);
        var type = Precision.AtLeastSingle(like.dtype);
        var error = s.narrow(0, rank, s.size(0) - rank).square().sum().sqrt().ToDouble();
        return new LowRankFactors(
            a.to(type, like.device).MoveToOuterDisposeScope(),
            (u.narrow(1, 0, rank) * root).to(type, like.device).MoveToOuterDisposeScope(),
            error
        );
    }
}
