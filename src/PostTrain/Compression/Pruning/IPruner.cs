using static TorchSharp.torch;

namespace PostTrain.Compression.Pruning;

/// <summary>A way to prune a weight. <see cref="Pruner"/> has the library's and makes one of any function.</summary>
public interface IPruner
{
    /// <summary>How it is called in reports.</summary>
    string Name { get; }

    /// <summary>Whether it asks for the statistics of the layer's inputs.</summary>
    bool NeedsStatistics { get; }

    /// <summary>Prunes a weight.</summary>
    /// <param name="weight">[out,in].</param>
    /// <param name="statistics">Of the layer's inputs; null where there was no calibration.</param>
    /// <returns>Weight and mask of the same shape; they belong to the caller.</returns>
    PrunedWeight Prune(Tensor weight, LayerStatistics? statistics);
}
