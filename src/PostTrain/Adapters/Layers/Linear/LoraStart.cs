using PostTrain.Numerics;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>LoRA's A [r,in] and B [out,r] at the start, for a weight [out,in].</summary>
internal static class LoraStart
{
    private const int Oversampling = 10;

    public static (Tensor A, Tensor B) Of(Tensor weight, int rank, double scale, LoraInitialization start, AdapterRandom random)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var (outputs, inputs) = (weight.size(0), weight.size(1));
        // Decompositions and starts in float32 at least, wherever the weight is.
        var w = weight.detach().cpu();
        w = w.AtLeastSingle();
        var type = w.dtype;
        if (start.ShiftsBase && rank > Math.Min(inputs, outputs))
            throw new ArgumentOutOfRangeException(
                nameof(rank),
                rank,
                $"the start '{start.Name}' of a weight [{outputs},{inputs}] has a rank of at most {Math.Min(inputs, outputs)}"
            );
        var (a, b) = start switch
        {
            _ when start == LoraInitialization.Default => (random.Kaiming([rank, inputs], type), Zero()),
            _ when start == LoraInitialization.Random => (random.Kaiming([rank, inputs], type), random.Kaiming([outputs, rank], type)),
            _ when start == LoraInitialization.Gaussian => (random.Normal([rank, inputs], 1.0 / rank, type), Zero()),
            _ when start == LoraInitialization.Orthogonal => Orthogonal(inputs, outputs, rank, type, random),
            _ when start == LoraInitialization.Olora => Olora(w, rank),
            _ => Pissa(w, rank, scale, start.Iterations, random),
        };
        return (a.MoveToOuterDisposeScope(), b.MoveToOuterDisposeScope());

        Tensor Zero() => random.Zeros([outputs, rank], type);
    }

    /// <summary>Copies of the factors that are given for a layer.</summary>
    public static (Tensor A, Tensor B) Given(IReadOnlyDictionary<string, (Tensor A, Tensor B)> factors, Leaf leaf, int rank)
    {
        if (!factors.TryGetValue(leaf.Name, out var pair))
            throw new ArgumentException($"the given start has no factors for the layer '{leaf.Name}'", nameof(factors));
        if (!pair.A.shape.SequenceEqual([rank, leaf.Inputs]) || !pair.B.shape.SequenceEqual([leaf.Outputs, rank]))
            throw new ArgumentException(
                $"the given start of '{leaf.Name}' is A {Guard.Shape(pair.A)}, B {Guard.Shape(pair.B)}, "
                    + $"expected [{rank}, {leaf.Inputs}] and [{leaf.Outputs}, {rank}]",
                nameof(factors)
            );
        return (pair.A.detach().clone(), pair.B.detach().clone());
    }

    private static (Tensor A, Tensor B) Olora(Tensor weight, int rank)
    {
        var (q, r) = linalg.qr(weight);
        return (r.narrow(0, 0, rank).contiguous(), q.narrow(1, 0, rank).contiguous());
    }

    // The singular values' square roots go to both sides, and the scale out of them.
    private static (Tensor A, Tensor B) Pissa(Tensor weight, int rank, double scale, int iterations, AdapterRandom random)
    {
        var (u, s, vh) = iterations == 0 ? linalg.svd(weight, false) : Randomized(weight, rank, iterations, random);
        var root = (s.narrow(0, 0, rank) / scale).sqrt();
        return (vh.narrow(0, 0, rank) * root.unsqueeze(1), u.narrow(1, 0, rank) * root);
    }

    // Halko, Martinsson, Tropp 2011, algorithm 4.4: an orthonormal basis of the range of (WWᵀ)^k W Ω, and the decomposition inside it. Some
    // more columns than the rank make up for singular values that lie close to each other (section 4.2).
    private static (Tensor U, Tensor S, Tensor Vh) Randomized(Tensor weight, int rank, int iterations, AdapterRandom random)
    {
        var basis = linalg
            .qr(
                weight.mm(
                    random.Normal(
                        [weight.size(1), Math.Min(rank + Oversampling, Math.Min(weight.size(0), weight.size(1)))],
                        1,
                        weight.dtype
                    )
                )
            )
            .Q;
        for (var i = 0; i < iterations; i++)
            basis = linalg.qr(weight.mm(linalg.qr(weight.t().mm(basis)).Q)).Q;
        var (u, s, vh) = linalg.svd(basis.t().mm(weight), false);
        return (basis.mm(u), s, vh);
    }

    // Odd and even rows of an orthogonal matrix are orthogonal to each other, so that B A = 0.
    private static (Tensor A, Tensor B) Orthogonal(long inputs, long outputs, int rank, ScalarType type, AdapterRandom random)
    {
        if (rank % 2 != 0)
            throw new ArgumentOutOfRangeException(nameof(rank), rank, "the orthogonal start needs an even rank");
        var q = linalg.qr(random.Normal([rank, rank], 1, type)).Q.reshape(rank / 2, 2, rank);
        var a = random.Normal([inputs, rank / 2], 0.1, type).mm(q.select(1, 0)).t().contiguous();
        return (a, random.Normal([outputs, rank / 2], 0.1, type).mm(q.select(1, 1)));
    }
}
