using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Merging;

/// <summary>Merges by statistics of each model's own data.</summary>
public static class StatisticalMerge
{
    /// <summary>Fisher-weighted mean Σ wᵢ Fᵢ θᵢ / Σ wᵢ Fᵢ by entries (Matena and Raffel 2022, arXiv:2111.09832, eq. 4); where all Fᵢ are 0,
    /// the mean by weights.</summary>
    /// <param name="tensors">θ, [...] each.</param>
    /// <param name="fishers">F, the diagonals of the Fisher information, [...] each, at least 0.</param>
    /// <param name="weights">w, at least 0, not all 0.</param>
    public static Tensor Fisher(IReadOnlyList<Tensor> tensors, IReadOnlyList<Tensor> fishers, IReadOnlyList<double> weights)
    {
        MergeCheck.Tensors(tensors, 1);
        Statistics(tensors, fishers);
        Weights(weights, tensors.Count);
        using var scope = NewDisposeScope();
        var (numerator, denominator) = (zeros_like(tensors[0]), zeros_like(tensors[0]));
        for (var i = 0; i < tensors.Count; i++)
        {
            using var inner = NewDisposeScope();
            Guard.SameShape(fishers[i], nameof(fishers), tensors[0], nameof(tensors));
            if (fishers[i].numel() > 0 && !(fishers[i].min().ToDouble() >= 0))
                throw new ArgumentException("fishers has an entry below 0 or not a number, expected at least 0", nameof(fishers));
            var weighted = fishers[i].to_type(tensors[0].dtype) * weights[i];
            numerator.add_(weighted * tensors[i]);
            denominator.add_(weighted);
        }

        var none = denominator.eq(0);
        var mean = LinearMerge.Average(tensors, weights);
        return where(none, mean, numerator / where(none, ones_like(denominator), denominator)).MoveToOuterDisposeScope();
    }

    /// <summary>RegMean (Jin et al. 2023, arXiv:2212.09849, eq. 2): the matrix whose outputs are nearest to those of all models on their
    /// own inputs, W = (Σ wᵢ Wᵢ Gᵢ)(Σ wᵢ Gᵢ)⁻¹ for W [out,in] and Gᵢ = XᵢᵀXᵢ.</summary>
    /// <param name="tensors">W, [out,in] each.</param>
    /// <param name="grams">G, [in,in] each, symmetric.</param>
    /// <param name="weights">w, at least 0, not all 0.</param>
    /// <param name="offDiagonal">Factor of the entries of G off its diagonal, 0 to 1; 0.9 in the paper.</param>
    /// <exception cref="ArgumentException">The sum of the grams cannot be inverted: give more data, or an
    /// <paramref name="offDiagonal"/> below 1.</exception>
    public static Tensor RegMean(
        IReadOnlyList<Tensor> tensors,
        IReadOnlyList<Tensor> grams,
        IReadOnlyList<double> weights,
        double offDiagonal = 1
    )
    {
        MergeCheck.Tensors(tensors, 1);
        Guard.Rank(tensors[0], nameof(tensors), 2, "[out,in]");
        Statistics(tensors, grams);
        Weights(weights, tensors.Count);
        Guard.Fraction(offDiagonal, nameof(offDiagonal));
        using var scope = NewDisposeScope();
        var (rows, columns) = (tensors[0].size(0), tensors[0].size(1));
        var sum = zeros(columns, columns, dtype: ScalarType.Float64);
        var product = zeros(rows, columns, dtype: ScalarType.Float64);
        for (var i = 0; i < tensors.Count; i++)
        {
            using var inner = NewDisposeScope();
            var gram = grams[i];
            if (gram.dim() != 2 || gram.size(0) != columns || gram.size(1) != columns)
                throw new ArgumentException($"grams has shape {Guard.Shape(gram)}, expected [{columns}, {columns}]", nameof(grams));
            gram = gram.to_type(ScalarType.Float64) * weights[i];
            gram = gram * offDiagonal + gram.diagonal().diag() * (1 - offDiagonal);
            sum.add_(gram);
            product.add_(tensors[i].to_type(ScalarType.Float64).mm(gram));
        }

        if (columns == 0)
            return tensors[0].clone().MoveToOuterDisposeScope();
        // W sum = product, with sum symmetric.
        try
        {
            var solved = linalg.solve(sum, product.t()).t();
            if (!solved.isfinite().all().ToBoolean())
                throw Singular(null);
            return solved.to_type(tensors[0].dtype).contiguous().MoveToOuterDisposeScope();
        }
        catch (System.Runtime.InteropServices.ExternalException exception)
        {
            throw Singular(exception);
        }
    }

    private static ArgumentException Singular(Exception? inner) =>
        new("grams add up to a matrix that cannot be inverted: give more data, or an offDiagonal below 1", inner);

    private static void Statistics(IReadOnlyList<Tensor> tensors, IReadOnlyList<Tensor> statistics)
    {
        ArgumentNullException.ThrowIfNull(statistics);
        if (statistics.Count != tensors.Count)
            throw new ArgumentException($"{statistics.Count} statistics are given for {tensors.Count} tensors", nameof(statistics));
        foreach (var item in statistics)
            Guard.Floating(item, nameof(statistics));
    }

    private static void Weights(IReadOnlyList<double> weights, int count)
    {
        MergeCheck.Weights(weights, count);
        foreach (var weight in weights)
            Guard.NotNegative(weight, nameof(weights));
        if (weights.Sum() == 0)
            throw new ArgumentOutOfRangeException(nameof(weights), 0, "weights must not all be 0");
    }
}
