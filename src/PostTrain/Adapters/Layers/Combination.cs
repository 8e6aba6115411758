using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>Computes A and B of a combined adapter in one layer.</summary>
internal static class Combination
{
    public static (Tensor A, Tensor B) Of(IReadOnlyList<ILoraFactors> factors, IReadOnlyList<double> weights, CombinationOptions options)
    {
        Tensor[] a = [.. factors.Select(item => item.A.detach())],
            b = [.. factors.Select(item => item.B.detach())];
        if (options.Decomposes)
        {
            // The changes, each with its own scale; only the weights remain to be applied.
            var changes = factors.Select((item, i) => b[i].mm(a[i]) * item.Scale).ToArray();
            return Decomposed(
                Merged(changes, [.. weights], options, 0),
                options.Rank ?? (int)a.Max(matrix => matrix.size(0)),
                options.Clamp
            );
        }

        double[] scaled = [.. factors.Zip(weights, (item, weight) => weight * item.Scale)];
        if (options.Kind == CombinationKind.Concatenation)
            return (cat(a.Zip(scaled, (matrix, weight) => matrix * weight).ToArray(), 0), cat(b, 1));
        if (a.Select(matrix => matrix.size(0)).Distinct().Count() > 1)
            throw new ArgumentException(
                $"the ranks at '{factors[0].Leaf.Name}' are {string.Join(", ", a.Select(matrix => matrix.size(0)))}; {options.Kind} "
                    + "needs equal ones",
                nameof(factors)
            );
        double[] roots = [.. scaled.Select(weight => Math.Sqrt(Math.Abs(weight)))];
        return (Merged(a, [.. roots.Zip(scaled, (root, weight) => Math.CopySign(root, weight))], options, 0), Merged(b, roots, options, 1));
    }

    private static Tensor Merged(Tensor[] tensors, double[] weights, CombinationOptions options, ulong stream) =>
        options.Kind switch
        {
            CombinationKind.Linear or CombinationKind.Svd => TaskVectors.TaskArithmetic(tensors, weights),
            CombinationKind.Ties or CombinationKind.TiesSvd => TaskVectors.Ties(tensors, weights, options.Density, options.MajoritySign),
            CombinationKind.DareLinear or CombinationKind.DareLinearSvd => TaskVectors.DareLinear(
                tensors,
                weights,
                options.Density,
                options.Seed + stream
            ),
            CombinationKind.DareTies or CombinationKind.DareTiesSvd => TaskVectors.DareTies(
                tensors,
                weights,
                options.Density,
                options.Seed + stream,
                options.MajoritySign
            ),
            CombinationKind.MagnitudePrune or CombinationKind.MagnitudePruneSvd => TaskVectors.MagnitudePrune(
                tensors,
                weights,
                options.Density
            ),
            _ => throw new ArgumentOutOfRangeException(nameof(options), options.Kind, "unknown kind of combination"),
        };

    private static (Tensor A, Tensor B) Decomposed(Tensor delta, int rank, double? clamp)
    {
        var (u, s, vh) = linalg.svd(delta, false);
        var kept = Math.Min(rank, s.size(0));
        var (b, a) = (u.narrow(1, 0, kept) * s.narrow(0, 0, kept), vh.narrow(0, 0, kept));
        if (clamp is not { } share)
            return (a, b);
        var limit = cat([b.reshape(-1), a.reshape(-1)], 0).quantile(tensor(share, dtype: a.dtype), 0);
        return (a.minimum(limit).maximum(-limit), b.minimum(limit).maximum(-limit));
    }
}
