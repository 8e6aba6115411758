using PostTrain.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Compression.Pruning;

/// <summary>A model with pruned linear layers, whose removed entries stay removed in any training. Parameters keep their names, so that the
/// model is saved as it is.</summary>
public sealed class PrunedModel : IDisposable
{
    private readonly IReadOnlyList<LayerSite> sites;
    private readonly MaskedLinear[] layers;
    private bool disposed;

    private PrunedModel(IReadOnlyList<LayerSite> sites, MaskedLinear[] layers) => (this.sites, this.layers) = (sites, layers);

    /// <summary>The pruned layers by their names.</summary>
    public IReadOnlyDictionary<string, MaskedLinear> Layers =>
        sites.Zip(layers).ToDictionary(pair => pair.First.Name, pair => pair.Second, StringComparer.Ordinal);

    /// <summary>Prunes linear layers of a model and puts the masks on them.</summary>
    /// <param name="model">The model, without adapters: they are attached afterwards.</param>
    /// <param name="pruner">The pruning method.</param>
    /// <param name="options">The layers.</param>
    /// <param name="progress">Told after each layer.</param>
    /// <param name="cancellation">Stops between two layers; nothing has changed then.</param>
    /// <returns>Disposing it takes the masks off; the zeros stay.</returns>
    /// <exception cref="ArgumentException">A target names no plain linear layer or one that cannot be replaced, or the pruner needs a
    /// calibration that was not given or lacks a layer. Nothing was changed.</exception>
    /// <exception cref="InvalidOperationException">A pruner of your own gave another shape.</exception>
    public static PrunedModel Attach(
        nn.Module model,
        IPruner pruner,
        PruningOptions? options = null,
        IProgress<CompressionProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(pruner);
        options ??= new PruningOptions();
        var sites = LayerSite.Of(model, options.Targets, options.Exclude);
        LayerSite.CheckReplaceable(model, sites);
        if (sites.FirstOrDefault(site => site.Module is not Linear) is { } other)
            throw new ArgumentException(
                $"the layer '{other.Name}' is a {other.Module.GetName()}, expected a plain linear one",
                nameof(model)
            );
        if (pruner.NeedsStatistics && options.Calibration is null)
            throw new ArgumentException(
                $"{pruner.Name} needs the layers' inputs, expected a {nameof(PruningOptions.Calibration)}",
                nameof(options)
            );
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var pruned = new List<PrunedWeight>();
        foreach (var site in sites)
        {
            cancellation.ThrowIfCancellationRequested();
            var result = pruner.Prune(site.Leaf.Weight, pruner.NeedsStatistics ? options.Calibration![site.Name] : null);
            foreach (var part in (Tensor[])[result.Weight, result.Kept])
            {
                if (!part.shape.SequenceEqual(site.Leaf.Weight.shape))
                    throw new InvalidOperationException(
                        $"the pruner '{pruner.Name}' returned the shape [{string.Join(", ", part.shape)}] for '{site.Name}', "
                            + $"expected [{string.Join(", ", site.Leaf.Weight.shape)}]"
                    );
            }

            pruned.Add(result);
            progress?.Report(new CompressionProgress(pruned.Count, sites.Count, site.Name));
        }

        var layers = new List<MaskedLinear>();
        foreach (var (site, result) in sites.Zip(pruned))
        {
            site.Leaf.Weight.copy_(result.Weight);
            var layer = new MaskedLinear(site.Leaf.Weight, site.Leaf.Bias, result.Kept);
            layer.ApplyToWeight();
            site.Replace(layer);
            layers.Add(layer);
        }

        return new PrunedModel(sites, [.. layers]);
    }

    /// <summary>The part of the pruned layers' entries that is removed.</summary>
    public double Removed()
    {
        using var scope = NewDisposeScope();
        var kept = layers.Sum(layer => layer.Kept.sum().ToDouble());
        return 1 - kept / layers.Sum(layer => layer.Kept.NumberOfElements);
    }

    /// <summary>Takes the masks off: plain layers again, with zeros where entries were removed.</summary>
    public void Dispose()
    {
        if (disposed)
            return;
        disposed = true;
        foreach (var (site, layer) in sites.Zip(layers))
        {
            layer.ApplyToWeight();
            site.Replace(nn.Linear(layer.Weight, layer.Bias));
            layer.Kept.Dispose();
        }
    }
}
