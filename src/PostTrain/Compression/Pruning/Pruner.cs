using static TorchSharp.torch;

namespace PostTrain.Compression.Pruning;

/// <summary>The ways to prune a weight, by name.</summary>
public static class Pruner
{
    /// <summary>By |w|.</summary>
    public static IPruner Magnitude(Sparsity sparsity) => Of("magnitude", weight => MagnitudePruning.Prune(weight, sparsity));

    /// <summary>By |w| ‖x‖. Needs calibration.</summary>
    public static IPruner Wanda(Sparsity sparsity) =>
        Of(
            "wanda",
            (weight, statistics) =>
            {
                using var norms = statistics.FeatureNormSquared();
                return WandaPruning.Prune(weight, norms, sparsity);
            }
        );

    /// <summary>By SparseGPT, which changes what stays. Needs calibration.</summary>
    public static IPruner SparseGpt(SparseGptOptions? options = null)
    {
        options ??= new SparseGptOptions();
        options.Validate();
        return Of(
            "sparsegpt",
            (weight, statistics) =>
            {
                using var hessian = statistics.Hessian();
                return Pruning.SparseGpt.Prune(weight, hessian, options).Weight;
            }
        );
    }

    /// <summary>A method of one's own that looks at the weight alone.</summary>
    /// <param name="name">How it is called in reports.</param>
    /// <param name="prune">Weight [out,in] to weight and mask.</param>
    public static IPruner Of(string name, Func<Tensor, PrunedWeight> prune)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(prune);
        return new FunctionPruner(name, false, (weight, _) => prune(weight));
    }

    /// <summary>A method of one's own that looks at the layer's inputs too.</summary>
    /// <inheritdoc cref="Of(string, Func{Tensor, PrunedWeight})"/>
    public static IPruner Of(string name, Func<Tensor, LayerStatistics, PrunedWeight> prune)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(prune);
        return new FunctionPruner(
            name,
            true,
            (weight, statistics) =>
                prune(
                    weight,
                    statistics
                        ?? throw new ArgumentNullException(
                            nameof(statistics),
                            $"{name} needs the statistics of the layer's inputs: run {nameof(Calibration)} first"
                        )
                )
        );
    }

    private sealed class FunctionPruner(string name, bool needs, Func<Tensor, LayerStatistics?, PrunedWeight> prune) : IPruner
    {
        public string Name => name;

        public bool NeedsStatistics => needs;

        public PrunedWeight Prune(Tensor weight, LayerStatistics? statistics) => prune(weight, statistics);

        public override string ToString() => name;
    }
}
