using System.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary><see cref="DistributionRow"/> over the rows of a chunk of logits.</summary>
internal static unsafe class DistributionPass
{
    /// <summary>log π(target), mean log π, log Σ exp z, entropy and hits (0 or 1) of logits [N,V], all [N].</summary>
    internal static List<Tensor> Read(Tensor logits, Tensor targets) =>
        logits.dtype == ScalarType.Float32 ? Read<float>(logits, targets) : Read<double>(logits, targets);

    /// <summary>Replaces logits [N,V], which nobody else has, by their gradient.</summary>
    /// <param name="logits">Changed.</param>
    /// <param name="targets">[N].</param>
    /// <param name="signals">Gradients of log-probs, means, log-sums and entropies, [N] each; null for none.</param>
    internal static void Replace(Tensor logits, Tensor targets, params ReadOnlySpan<Tensor?> signals)
    {
        if (logits.dtype == ScalarType.Float32)
            Replace<float>(logits, targets, signals[0], signals[1], signals[2], signals[3]);
        else
            Replace<double>(logits, targets, signals[0], signals[1], signals[2], signals[3]);
    }

    /// <summary>True if <see cref="Entropies"/> takes these: no graph is recorded.</summary>
    internal static bool TakesEntropies(Tensor logits) =>
        Fused.Takes(logits) && !Fused.Records(logits) && logits.dim() > 1 && logits.numel() > 0;

    /// <summary>−Σ π log π of each row, [...,V] to [...]; without a graph.</summary>
    internal static Tensor Entropies(Tensor logits)
    {
        using var scope = NewDisposeScope();
        var results = empty(logits.shape[..^1], dtype: logits.dtype);
        if (logits.dtype == ScalarType.Float32)
            Entropies<float>(logits, results);
        else
            Entropies<double>(logits, results);
        return results.MoveToOuterDisposeScope();
    }

    private static void Entropies<T>(Tensor logits, Tensor results)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using var numbers = new NumberSource<T>(logits);
        T* z = numbers.Pointer,
            to = TensorMemory.Address<T>(results);
        var width = (int)logits.size(-1);
        Workers.Run(
            results.numel(),
            logits.numel() * 2,
            row =>
            {
                T* from = z + row * width;
                var sum = SoftmaxRow.Sum(from, SoftmaxRow.Max(from, width), width, (T*)null, true, out var cross);
                to[row] = T.CreateTruncating(Math.Log(sum) - cross / sum);
            }
        );
    }

    private static List<Tensor> Read<T>(Tensor logits, Tensor targets)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        var results = new List<Tensor>();
        for (int i = 0; i < 5; i++)
            results.Add(TensorMemory.Fresh(targets, logits.dtype));
        using var ids = new NumberSource<long>(targets);
        T* z = TensorMemory.Address<T>(logits),
            logProbs = TensorMemory.Address<T>(results[0]),
            means = TensorMemory.Address<T>(results[1]),
            sums = TensorMemory.Address<T>(results[2]),
            entropies = TensorMemory.Address<T>(results[3]),
            hits = TensorMemory.Address<T>(results[4]);
        long* y = ids.Pointer;
        var width = (int)logits.size(1);
        Workers.Run(
            targets.numel(),
            logits.numel() * 2,
            row =>
            {
                var facts = DistributionRow.Read(z + row * width, width, y[row]);
                logProbs[row] = T.CreateTruncating(facts.LogProb);
                means[row] = T.CreateTruncating(facts.Mean);
                sums[row] = T.CreateTruncating(facts.LogSum);
                entropies[row] = T.CreateTruncating(facts.Entropy);
                hits[row] = facts.IsHit ? T.One : T.Zero;
            }
        );
        return results;
    }

    private static void Replace<T>(Tensor logits, Tensor targets, Tensor? ofTarget, Tensor? ofMean, Tensor? ofSum, Tensor? ofEntropy)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using var ids = new NumberSource<long>(targets);
        using var first = new NumberSource<T>(ofTarget);
        using var second = new NumberSource<T>(ofMean);
        using var third = new NumberSource<T>(ofSum);
        using var fourth = new NumberSource<T>(ofEntropy);
        T* z = TensorMemory.Address<T>(logits),
            l = first.Pointer,
            m = second.Pointer,
            s = third.Pointer,
            h = fourth.Pointer;
        long* y = ids.Pointer;
        var width = (int)logits.size(1);
        Workers.Run(
            targets.numel(),
            logits.numel() * 2,
            row =>
                DistributionRow.Replace(
                    z + row * width,
                    width,
                    y[row],
                    new(
                        l == null ? 0 : Scalars.Get(l + row),
                        m == null ? 0 : Scalars.Get(m + row),
                        s == null ? 0 : Scalars.Get(s + row),
                        h == null ? 0 : Scalars.Get(h + row)
                    )
                )
        );
    }
}
