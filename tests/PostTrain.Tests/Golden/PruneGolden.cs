using PostTrain.Compression;
using PostTrain.Compression.Pruning;
using PostTrain.Compression.Quantization;
using PostTrain.Tests.Support;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>prune.json: one linear layer pruned by magnitude, Wanda and SparseGPT.</summary>
internal static class PruneGolden
{
    private const double Values = 3e-5;
    private const double Compensated = 1e-4;

    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["magnitude"] = new(Magnitude),
            ["wanda"] = new(Wanda),
            ["sparsegpt"] = new(SparseGptCase),
        };

    private static void Magnitude(GoldenCase item) => Compare(item, MagnitudePruning.Prune(item.Input("weight"), SparsityOf(item)), Values);

    private static void Wanda(GoldenCase item)
    {
        var (weight, x) = (item.Input("weight"), item.Input("x"));
        using var statistics = new LayerStatistics(weight.size(1), keepsGram: false);
        statistics.Add(x);
        var norms = statistics.FeatureNormSquared();
        TensorAssert.Close(item.Expected("feature_norm_squared"), norms, Values, "feature_norm_squared");
        var scores = WandaPruning.Scores(weight, norms);
        TensorAssert.Close(item.Expected("metric"), scores, Values, "metric");
        bool variant = item.Flag("variant");
        Compare(item, WandaPruning.Prune(weight, norms, SparsityOf(item), variant), Values);
        if (variant)
            Assert.Equal(item.ExpectedNumber("alpha"), WandaPruning.ByCumulativeScore(scores, item.Parameter("sparsity", 0)).Alpha, 12);
    }

    private static void SparseGptCase(GoldenCase item)
    {
        var weight = item.Input("weight");
        using var statistics = Statistics(item, weight.size(1));
        var hessian = statistics.Hessian();
        TensorAssert.Close(item.Expected("hessian"), hessian, Values, "hessian");
        int bits = (int)item.Parameter("bits", 0);
        var result = SparseGpt.Prune(
            weight,
            hessian,
            new SparseGptOptions
            {
                Sparsity = SparsityOf(item),
                BlockSize = (int)item.Parameter("block_size", 128),
                Damping = item.Parameter("percdamp", 0.01),
                Quantization = bits == 0 ? null : new IntegerOptions { Bits = bits },
            }
        );
        Compare(item, result.Weight, Compensated);
        TensorAssert.Close([item.ExpectedNumber("loss")], tensor(result.Loss), Compensated, "loss");
    }

    internal static LayerStatistics Statistics(GoldenCase item, long features)
    {
        var statistics = new LayerStatistics(features);
        foreach (var batch in item.Inputs.Value("batches").EnumerateArray())
            statistics.Add(GoldenCase.Read(batch));
        return statistics;
    }

    private static Sparsity SparsityOf(GoldenCase item)
    {
        var (fraction, n, m) = (item.Parameter("sparsity", 0), (int)item.Parameter("n", 0), (int)item.Parameter("m", 0));
        return m == 0 ? Sparsity.Part(fraction) : Sparsity.Pattern(n, m);
    }

    private static void Compare(GoldenCase item, PrunedWeight pruned, double tolerance)
    {
        TensorAssert.Same(item.Expected("mask"), pruned.Kept.logical_not(), "mask");
        TensorAssert.Close(item.Expected("pruned"), pruned.Weight, tolerance, "pruned");
    }
}
