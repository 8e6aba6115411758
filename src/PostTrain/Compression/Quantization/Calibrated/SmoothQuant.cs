using PostTrain.Adapters.Layers;
using PostTrain.Models;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>SmoothQuant (Xiao et al. 2022, arXiv:2211.10438): outliers of activations move into the weights, x' = x / s, W' = W · s, with
/// s_j = max|x_j|^α / max|W_j|^(1−α) (eq. 4). The model's function stays; both sides become easier to quantise.</summary>
public static class SmoothQuant
{
    private const double Least = 1e-5;

    /// <summary>The scales of inputs that several weights share.</summary>
    /// <param name="inputAbsmax">The largest |x| of each input, [in] (<see cref="LayerStatistics.Absmax"/>).</param>
    /// <param name="weights">[out,in] each.</param>
    /// <param name="strength">α, from 0 (activations stay) to 1 (all difficulty goes into the weights).</param>
    /// <returns>[in], fresh, at least 1e-5.</returns>
    /// <exception cref="ArgumentException">Shapes do not agree.</exception>
    public static Tensor Scales(Tensor inputAbsmax, IReadOnlyList<Tensor> weights, double strength = 0.5)
    {
        Guard.Rank(inputAbsmax, nameof(inputAbsmax), 1, "[in]");
        Guard.Fraction(strength, nameof(strength));
        ArgumentNullException.ThrowIfNull(weights);
        foreach (var weight in weights)
            Guard.Floating(weight, nameof(weights));
        if (weights.Count == 0 || weights.Any(weight => weight.dim() != 2 || weight.size(1) != inputAbsmax.size(0)))
            throw new ArgumentException(
                $"weights have the shapes {string.Join(", ", weights.Select(Guard.Shape))}, expected at least one of [out, "
                    + $"{inputAbsmax.size(0)}]",
                nameof(weights)
            );
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var type = Precision.AtLeastSingle(weights[0].dtype);
        var largest = stack([.. weights.Select(weight => weight.detach().to_type(type).abs().amax([0L]))], 0).amax([0L]);
        var inputs = inputAbsmax.detach().to_type(type).clamp_min(Least);
        return (inputs.pow(strength) / largest.clamp_min(Least).pow(1 - strength)).clamp_min(Least).MoveToOuterDisposeScope();
    }

    /// <summary>Smooths a decoder in place: the output of the norm before an attention or a feed-forward is divided by s, in the norm's
    /// weight, and the projections that read it are multiplied by s.</summary>
    /// <param name="model">A decoder.</param>
    /// <param name="calibration">Of the projections that read the norms' results.</param>
    /// <param name="strength">α.</param>
    /// <returns>The names of the norms that were changed.</returns>
    /// <exception cref="ArgumentException">Layers were replaced, or a projection was not calibrated. Nothing was changed.</exception>
    public static IReadOnlyList<string> Apply(Decoder model, Calibration calibration, double strength = 0.5)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(calibration);
        Guard.Fraction(strength, nameof(strength));
        var leaves = Leaf.All(model).ToDictionary(leaf => leaf.Name, StringComparer.Ordinal);
        var names = ModuleNames.Of(model.Config);
        var plan = new List<(string Norm, Leaf[] Readers)>();
        for (var layer = 0; layer < model.Config.Layers; layer++)
        {
            var prefix = $"{names.Backbone}.{names.Layers}.{layer}.";
            Add($"{prefix}{names.AttentionNorm}", prefix + names.Attention, [names.Fused, names.Query, names.Key, names.Value]);
            Add($"{prefix}{names.FeedForwardNorm}", prefix + names.FeedForward, [names.GateUp, names.Gate, names.Up]);
        }

        foreach (var (norm, readers) in plan)
        {
            if (!leaves.ContainsKey(norm) || readers.Length == 0 || readers.Any(reader => reader.Packed is not null))
                throw new ArgumentException(
                    $"the norm '{norm}' and the projections behind it are not plain layers of this model, so that it cannot be smoothed",
                    nameof(model)
                );
            foreach (var reader in readers)
                _ = calibration[reader.Name];
        }

        using var mode = no_grad();
        foreach (var (norm, readers) in plan)
        {
            using var scope = NewDisposeScope();
            var scales = Scales(calibration[readers[0].Name].Absmax, [.. readers.Select(reader => (Tensor)reader.Weight)], strength);
            Divide(leaves[norm], scales, model.Config.Normalization == Normalization.RmsNormOffset);
            foreach (var reader in readers)
                reader.Weight.copy_(reader.Weight.to_type(scales.dtype) * scales);
        }

        return [.. plan.Select(item => item.Norm)];

        void Add(string norm, string owner, string[] parts)
        {
            plan.Add((norm, [.. parts.Select(part => leaves.GetValueOrDefault($"{owner}.{part}")).OfType<Leaf>()]));
        }
    }

    // Where the factor is 1 + w, the 1 is divided too.
    private static void Divide(Leaf norm, Tensor scales, bool offset)
    {
        var weight = norm.Weight.to_type(scales.dtype);
        norm.Weight.copy_(offset ? (weight + 1) / scales - 1 : weight / scales);
        norm.Bias?.copy_(norm.Bias.to_type(scales.dtype) / scales);
    }
}
