using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Supervised;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Kernels;

/// <summary>Cross-entropies with their gradients, row by row in CPU memory, without an autograd graph.</summary>
/// <remarks>Float32 and float64; sums in float64. Results are fresh, of the logits' type, and the same bits for any number of threads; the
/// caller owns them.</remarks>
/// <exception cref="NotSupportedException">The logits are not on the CPU, or of a 16-bit type.</exception>
public static unsafe class SupervisedKernels
{
    /// <summary>Cross-entropy, as <see cref="SupervisedLosses.CrossEntropy"/>; with default options
    /// <see cref="SupervisedLosses.NegativeLogLikelihood"/>.</summary>
    /// <param name="logits">[B,T,V]; the logits at a position predict its target (already shifted).</param>
    /// <param name="targets">[B,T], token ids in 0..V−1 where the mask counts; the others are not read.</param>
    /// <param name="mask">[B,T]; 1 where the target is to be learnt.</param>
    /// <param name="options">The terms; the plain negative log-likelihood when null. Logits are taken as they are.</param>
    /// <param name="weights">w, [B,T]; 1 when null.</param>
    /// <param name="aggregation">Token mean when null.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch where this is a part of it; its own when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree, or a counted target is not in 0..V−1.</exception>
    /// <exception cref="NotSupportedException">The options change the logits, or the aggregation is one of one's own.</exception>
    public static TokenLossWithGradient CrossEntropy(
        Tensor logits,
        Tensor targets,
        Tensor mask,
        CrossEntropyObjective? options = null,
        Tensor? weights = null,
        LossAggregation? aggregation = null,
        double? denominator = null
    )
    {
        options ??= new CrossEntropyObjective();
        Guard.Rank(logits, nameof(logits), 3, "[B,T,V]");
        var type = KernelGuard.Number(logits, nameof(logits));
        Guard.Ids(targets, nameof(targets));
        if (targets.dim() != 2 || targets.size(0) != logits.size(0) || targets.size(1) != logits.size(1))
            throw new ArgumentException(
                $"targets has shape {Guard.Shape(targets)}, expected logits' shape {Guard.Shape(logits)} without its last dimension",
                nameof(targets)
            );
        KernelGuard.SameShape(mask, nameof(mask), targets, nameof(targets));
        if (weights is not null)
        {
            Guard.Floating(weights, nameof(weights));
            KernelGuard.SameShape(weights, nameof(weights), targets, nameof(targets));
        }
        options.Check();
        TokenWeights.Check(aggregation);
        if (denominator is { } given)
            Guard.NotNegative(given, nameof(denominator));
        if (options.Logits != LogitTransform.None)
            throw new NotSupportedException($"{options.Logits} has no kernel; SupervisedLosses.CrossEntropy has it");
        return type == ScalarType.Float32
            ? CrossEntropy<float>(logits, targets, mask, options, weights, aggregation, denominator)
            : CrossEntropy<double>(logits, targets, mask, options, weights, aggregation, denominator);
    }

    private static TokenLossWithGradient CrossEntropy<T>(
        Tensor logits,
        Tensor targets,
        Tensor mask,
        CrossEntropyObjective options,
        Tensor? weights,
        LossAggregation? aggregation,
        double? denominator
    )
        where T : unmanaged
    {
        int width = checked((int)logits.size(2));
        long columns = targets.size(1),
            rows = targets.numel();
        Tensor losses = TensorMemory.Fresh(targets, logits.dtype),
            gradient = TensorMemory.Fresh(logits);
        using var source = new NumberSource<T>(logits);
        using var ids = new NumberSource<long>(targets);
        using var counts = new MaskSource<T>(mask);
        using var factors = new NumberSource<T>(weights);
        var m = counts.Pointer;
        T* z = source.Pointer,
            l = TensorMemory.Address<T>(losses),
            g = TensorMemory.Address<T>(gradient);
        T* f = factors.Pointer;
        long* y = ids.Pointer;
        LogProbRow.CheckTargets(y, rows, width, true, m);
        var shares = TokenWeights.Of(aggregation, denominator, mask, m);
        double[] rowShares = [.. Enumerable.Range(0, (int)targets.size(0)).Select(row => shares.OfRow(m, row * columns, columns))];
        var hits = new bool[rows];
        double smoothing = options.LabelSmoothing,
            zLoss = options.ZLoss;
        bool byProbability = options.Weighting == TokenWeighting.Probability;
        Workers.Run(
            rows,
            logits.numel(),
            row =>
            {
                T* from = z + row * width,
                    to = g + row * width;
                if (m.Get(row) == 0)
                {
                    Scalars.Set(l + row, 0);
                    new Span<T>(to, width).Clear();
                    return;
                }
                double max = SoftmaxRow.Max(from, width),
                    sum = SoftmaxRow.Sum(from, max, width, to, false, out _),
                    log = Math.Log(sum),
                    partition = max + log;
                double logProb = Scalars.Get(from + y[row]) - max - log,
                    likelihood = -logProb;
                if (smoothing > 0)
                    likelihood = -(1 - smoothing) * logProb - smoothing * (SoftmaxRow.Mean(from, width) - partition);
                double weight = f == null ? 1 : Scalars.Get(f + row),
                    strength = byProbability ? Math.Exp(logProb) : 1;
                hits[row] = SoftmaxRow.IsFirst(from, max, y[row]);
                Scalars.Set(l + row, weight * (strength * likelihood + zLoss * partition * partition));
                double scale = weight * rowShares[row / columns] / shares.Divisor;
                SoftmaxRow.Scale(to, width, scale * (strength + 2 * zLoss * partition) / sum, -scale * strength * smoothing / width);
                Scalars.Set(to + y[row], Scalars.Get(to + y[row]) - scale * strength * (1 - smoothing));
            }
        );
        var (total, correct, number) = (0.0, 0.0, 0.0);
        for (long row = 0; row < rows; row++)
        {
            double counted = m.Get(row);
            number += counted;
            if (counted == 0)
                continue;
            total += Scalars.Get(l + row) * rowShares[row / columns];
            if (hits[row])
                correct++;
        }
        return new TokenLossWithGradient(total / shares.Divisor, losses, gradient, correct / Math.Max(number, 1));
    }
}
