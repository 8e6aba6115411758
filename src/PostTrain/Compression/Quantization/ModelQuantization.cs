using PostTrain.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>Quantises the layers of a model in place, and gives them plain weights back.</summary>
/// <remarks>A model of one's own takes part where the modules that own its linear layers implement <see cref="ILayerOwner"/>.</remarks>
public static class ModelQuantization
{
    /// <summary>Replaces linear layers by <see cref="QuantizedLinear"/> and freezes the rest. Weights of the layers are freed one by
    /// one.</summary>
    /// <param name="model">The model, without adapters: they are attached afterwards.</param>
    /// <param name="quantizer">How a weight is quantised.</param>
    /// <param name="options">Which layers.</param>
    /// <param name="progress">Told after each layer.</param>
    /// <param name="cancellation">Stops between two layers; those done stay quantised.</param>
    /// <returns>Bytes and errors of each layer.</returns>
    /// <exception cref="ArgumentException">A target names no layer, a layer cannot be replaced, or the quantiser needs a calibration that
    /// was
    /// not given or lacks a layer. Nothing has changed then.</exception>
    public static QuantizationReport Apply(
        nn.Module model,
        IQuantizer quantizer,
        QuantizationOptions? options = null,
        IProgress<CompressionProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(quantizer);
        options ??= new QuantizationOptions();
        LayerSite[] sites = [.. LayerSite.Of(model, options.Targets, options.Exclude).Where(site => site.Module is not QuantizedLinear)];
        LayerSite.CheckReplaceable(model, sites);
        if (quantizer.NeedsStatistics && options.Calibration is null)
            throw new ArgumentException(
                $"{quantizer.Name} needs the layers' inputs, expected a {nameof(QuantizationOptions.Calibration)}",
                nameof(options)
            );
        if (quantizer.NeedsStatistics)
        {
            foreach (var site in sites)
                _ = options.Calibration![site.Name];
        }

        Backbone[] tables = options.Embeddings
            ? [.. model.named_modules().Select(item => item.module).OfType<Backbone>().Where(part => part.Tokens.Packed is null)]
            : [];
        if (tables.Length > 0 && quantizer.NeedsStatistics)
            throw new ArgumentException($"{quantizer.Name} needs inputs, which an embedding has none of", nameof(options));
        foreach (var parameter in model.parameters())
            parameter.requires_grad = false;
        var buffer = new DequantizationBuffer();
        var layers = new List<QuantizedLayer>();
        foreach (var site in sites)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            using var mode = no_grad();
            var statistics = quantizer.NeedsStatistics ? options.Calibration![site.Name] : null;
            var weight = site.Leaf.Values().detach();
            var quantized = quantizer.Checked(weight, statistics);
            layers.Add(Measure(site.Name, weight, quantized));
            var before = site.Module;
            site.Replace(new QuantizedLinear(quantized, site.Leaf.Bias, buffer));
            before.Dispose();
            progress?.Report(new CompressionProgress(layers.Count, sites.Length + tables.Length, site.Name));
        }

        foreach (var table in tables)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            using var mode = no_grad();
            using var before = table.Tokens;
            var name = model.named_modules().First(item => ReferenceEquals(item.module, before)).name;
            var weight = before.Weight.detach();
            var quantized = quantizer.Checked(weight, null);
            layers.Add(Measure(name, weight, quantized));
            table.ReplaceTokens(new TokenEmbedding(null, new PackedTable(quantized, buffer)));
            progress?.Report(new CompressionProgress(layers.Count, sites.Length + tables.Length, name));
        }

        return new QuantizationReport(quantizer.Name, layers);
    }

    /// <summary>Replaces every quantised layer by a plain one with the dequantised weight, so that the model can be saved, merged or
    /// trained
    /// as a whole.</summary>
    /// <returns>The layers' names.</returns>
    /// <exception cref="ArgumentException">There are adapters on the model.</exception>
    public static IReadOnlyList<string> Restore(nn.Module model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var packed = model.named_modules().Where(item => item.module is QuantizedLinear).Select(item => item.name).ToHashSet();
        var names = new List<string>();
        if (packed.Count > 0)
        {
            LayerSite[] sites =
            [
                .. LayerSite.Of(model, Adapters.ModuleSelection.Matching(".*"), null).Where(site => packed.Contains(site.Name)),
            ];
            LayerSite.CheckReplaceable(model, sites);
            foreach (var site in sites)
            {
                using var before = (QuantizedLinear)site.Module;
                site.Replace(Plain(before.Dequantize(), site.Leaf.Bias));
                names.Add(site.Name);
            }
        }

        foreach (var table in model.named_modules().Select(item => item.module).OfType<Backbone>().ToList())
        {
            if (table.Tokens.Packed is not { } rows)
                continue;
            using var before = table.Tokens;
            names.Add(model.named_modules().First(item => ReferenceEquals(item.module, before)).name);
            using var scope = NewDisposeScope();
            table.ReplaceTokens(new TokenEmbedding((Parameter)new Parameter(rows.Dequantize()).DetachFromDisposeScope(), null));
        }

        return names;
    }

    /// <summary>Bytes of everything that a model holds: parameters, buffers, and the codes of quantised layers.</summary>
    public static long Bytes(nn.Module model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var parameters = model.parameters().Sum(parameter => parameter.NumberOfElements * parameter.ElementSize);
        var buffers = model.buffers().Sum(buffer => buffer.NumberOfElements * buffer.ElementSize);
        var codes = PackedWeights.Of(model).Sum(item => item.Tensor.NumberOfElements * item.Tensor.ElementSize);
        return parameters + buffers + codes;
    }

    /// <summary>A linear layer of a fresh weight, which becomes the layer's, and a copy of a bias.</summary>
    internal static Linear Plain(Tensor weight, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        var own = (Parameter)new Parameter(weight).DetachFromDisposeScope();
        var offset = bias is null ? null : (Parameter)new Parameter(bias.detach().clone()).DetachFromDisposeScope();
        return nn.Linear(own, offset);
    }

    private static QuantizedLayer Measure(string name, Tensor weight, QuantizedTensor quantized)
    {
        var norm = weight.to_type(ScalarType.Float32).norm().ToDouble();
        var error = (quantized.Dequantize().to_type(ScalarType.Float32) - weight.to_type(ScalarType.Float32)).norm().ToDouble();
        return new QuantizedLayer(name, weight.NumberOfElements * weight.ElementSize, quantized.Bytes, norm == 0 ? 0 : error / norm);
    }
}
