using PostTrain.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>Training with the error of quantisation in view: while this is attached, linear layers compute with rounded weights, and their
/// gradients go to the full ones. Trainers, samplers and checkpoints take the model as it is.</summary>
public sealed class QuantizationAwareTraining : IDisposable
{
    private readonly IReadOnlyList<LayerSite> sites;
    private readonly FakeQuantizedLinear[] layers;
    private bool disposed;

    private QuantizationAwareTraining(IReadOnlyList<LayerSite> sites, FakeQuantizedLinear[] layers) =>
        (this.sites, this.layers) = (sites, layers);

    /// <summary>Names of the layers.</summary>
    public IReadOnlyList<string> Names => [.. sites.Select(site => site.Name)];

    /// <summary>Puts fake quantisation on a model's linear layers. Parameters stay the objects that they are, under their names.</summary>
    /// <param name="model">The model, without adapters.</param>
    /// <param name="quantizer">The rounding of weights; it must need no statistics. The same one quantises the trained model.</param>
    /// <param name="options">The layers.</param>
    /// <returns>Disposing it gives the model its plain layers back, with the weights that were trained.</returns>
    /// <exception cref="ArgumentException">A target names no plain linear layer, or one that cannot be replaced.</exception>
    public static QuantizationAwareTraining Attach(nn.Module model, IQuantizer quantizer, FakeQuantizationOptions? options = null)
    {
        options ??= new FakeQuantizationOptions();
        var sites = LayerSite.Of(model, options.Targets, options.Exclude);
        LayerSite.CheckReplaceable(model, sites);
        if (sites.FirstOrDefault(site => site.Module is not Linear) is { } other)
            throw new ArgumentException(
                $"the layer '{other.Name}' is a {other.Module.GetName()}, expected a plain linear one",
                nameof(model)
            );
        var layers = sites
            .Select(site => new FakeQuantizedLinear(site.Leaf.Weight, site.Leaf.Bias, quantizer, options.InputBits))
            .ToArray();
        foreach (var (site, layer) in sites.Zip(layers))
            site.Replace(layer);
        return new QuantizationAwareTraining(sites, layers);
    }

    /// <summary>Gives the model its plain layers back.</summary>
    public void Dispose()
    {
        if (disposed)
            return;
        disposed = true;
        // The layers' own parameters: a move to another device has replaced those from before.
        foreach (var (site, layer) in sites.Zip(layers))
            site.Replace(nn.Linear(layer.Weight, layer.Bias));
    }
}
