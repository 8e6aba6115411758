using PostTrain.Numerics;

namespace PostTrain.Data;

/// <summary>Shares of data sets in a <see cref="Mixture{T}"/>.</summary>
public static class MixtureWeights
{
    /// <summary>Examples-proportional mixing with a cap and a temperature, p_i = min(n_i, cap)^(1/τ) / Σ_j min(n_j, cap)^(1/τ).</summary>
    /// <remarks>Raffel et al. 2020 (T5), arXiv:1910.10683, section 3.5.2; FLAN (Wei et al. 2022, arXiv:2109.01652) has a cap of 3000 and τ
    /// = 1. The temperature goes from proportional (1) to equal (infinite) shares.</remarks>
    /// <param name="sizes">Examples of each data set, at least 1.</param>
    /// <param name="cap">Maximum size counted for a data set, at least 1; null for no cap.</param>
    /// <param name="temperature">τ, at least 1; positive infinity gives equal shares.</param>
    /// <returns>Shares that add up to 1.</returns>
    public static double[] ExamplesProportional(IReadOnlyList<int> sizes, int? cap = null, double temperature = 1)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        if (sizes.Count == 0)
            throw new ArgumentException("sizes is empty, expected one number a data set", nameof(sizes));
        for (int i = 0; i < sizes.Count; i++)
            Guard.AtLeast(sizes[i], 1, $"sizes[{i}]");
        if (cap is { } most)
            Guard.AtLeast(most, 1, nameof(cap));
        if (!(temperature >= 1))
            throw new ArgumentOutOfRangeException(nameof(temperature), temperature, "temperature must be at least 1");
        double[] powers = [.. sizes.Select(size => Math.Pow(Math.Min(size, cap ?? size), 1 / temperature))];
        double total = powers.Sum();
        return [.. powers.Select(power => power / total)];
    }

    /// <summary>Whole counts in the proportion of weights that add up to a total: whole parts first, what is left to the largest
    /// remainders, the earlier first.</summary>
    internal static int[] Apportion(IReadOnlyList<double> weights, int sources, int total)
    {
        if (weights.Count != sources)
            throw new ArgumentException($"there are {weights.Count} weights for {sources} sources, expected one each", nameof(weights));
        for (int i = 0; i < weights.Count; i++)
            if (!(weights[i] >= 0 && double.IsFinite(weights[i])))
                throw new ArgumentException(
                    FormattableString.Invariant($"weights[{i}] is {weights[i]}, expected a finite number of at least 0"),
                    nameof(weights)
                );
        double sum = weights.Sum();
        if (!(sum > 0 && double.IsFinite(sum)))
            throw new ArgumentException(
                FormattableString.Invariant($"the weights add up to {sum}, expected a finite number above 0"),
                nameof(weights)
            );

        double[] quotas = [.. weights.Select(weight => weight / sum * total)];
        // Rounding must not turn 3 into 2.9999999999999996 and lose an example to another source.
        int[] counts = [.. quotas.Select(quota => (int)Math.Floor(quota + 1e-9))];
        int left = total - counts.Sum();
        foreach (
            int i in Enumerable
                .Range(0, sources)
                .Where(i => weights[i] > 0)
                .OrderByDescending(i => quotas[i] - counts[i])
                .Take(Math.Max(0, left))
        )
            counts[i]++;
        return counts;
    }
}
