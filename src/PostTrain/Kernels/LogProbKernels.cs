using PostTrain.Numerics;
using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Kernels;

/// <summary>Log-probabilities and entropies from logits with their gradients, row by row in CPU memory, without an autograd
/// graph.</summary>
/// <remarks>
/// Float32 and float64; sums in float64. Results are of the logits' type, fresh, and the same bits for any number of threads; the caller
/// owns them.
/// Positions that a mask leaves out are not read; their results and gradients are 0.
/// </remarks>
/// <exception cref="NotSupportedException">The logits are not on the CPU, or of a 16-bit type.</exception>
public static unsafe class LogProbKernels
{
    /// <summary>log π(target) as <see cref="TokenLogProbs.Gather(Tensor, Tensor, Tensor)"/>, with entropies where asked for.</summary>
    /// <param name="logits">[..., T, V].</param>
    /// <param name="targets">[..., T]; token ids in 0..V−1 where the mask counts.</param>
    /// <param name="mask">[..., T]; 1 where a position counts, all of them when null.</param>
    /// <param name="entropy">Compute the entropies too; false by default.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree, or a counted target is not in 0..V−1.</exception>
    public static TokenScores Gather(Tensor logits, Tensor targets, Tensor? mask = null, bool entropy = false) =>
        Check(logits, targets, mask) == ScalarType.Float32
            ? Run<float>(logits, targets, mask, null, null, entropy, false).Scores
            : Run<double>(logits, targets, mask, null, null, entropy, false).Scores;

    /// <summary>Log-probabilities and their gradient in one pass, where the gradients of the results are known: g_v = u(δ_vy − π_v) −
    /// w·π_v(log π_v + H).</summary>
    /// <param name="logits">[..., T, V].</param>
    /// <param name="targets">[..., T].</param>
    /// <param name="gradient">u, the gradient of each log-probability, [..., T].</param>
    /// <param name="entropyGradient">w, the gradient of each entropy, [..., T]; null for none.</param>
    /// <param name="mask">[..., T]; all positions when null.</param>
    /// <param name="entropy">Compute the entropies although they have no gradient.</param>
    /// <returns>The scores, and the gradient of the logits, [..., T, V].</returns>
    /// <exception cref="ArgumentException">Shapes or types do not agree, or a counted target is not in 0..V−1.</exception>
    public static (TokenScores Scores, Tensor Gradient) GatherWithGradient(
        Tensor logits,
        Tensor targets,
        Tensor gradient,
        Tensor? entropyGradient = null,
        Tensor? mask = null,
        bool entropy = false
    )
    {
        var type = Check(logits, targets, mask);
        KernelGuard.SameShape(gradient, nameof(gradient), targets, nameof(targets));
        if (entropyGradient is not null)
            KernelGuard.SameShape(entropyGradient, nameof(entropyGradient), targets, nameof(targets));
        var (scores, result) =
            type == ScalarType.Float32
                ? Run<float>(logits, targets, mask, gradient, entropyGradient, entropy, true)
                : Run<double>(logits, targets, mask, gradient, entropyGradient, entropy, true);
        return (scores, result!);
    }

    /// <summary>A differentiable log π(target) [..., T]: an autograd node that keeps the logits and no distribution; first derivatives
    /// only.</summary>
    /// <param name="logits">[..., T, V].</param>
    /// <param name="targets">[..., T].</param>
    /// <param name="mask">[..., T]; all positions when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree, or a counted target is not in 0..V−1.</exception>
    public static Tensor Attached(Tensor logits, Tensor targets, Tensor? mask = null)
    {
        Check(logits, targets, mask);
        using var scope = NewDisposeScope();
        return TokenGather.apply(logits, targets, mask!).MoveToOuterDisposeScope();
    }

    private static (TokenScores Scores, Tensor? Gradient) Run<T>(
        Tensor logits,
        Tensor targets,
        Tensor? mask,
        Tensor? given,
        Tensor? givenEntropy,
        bool entropy,
        bool backward
    )
        where T : unmanaged
    {
        int width = checked((int)logits.size((int)logits.dim() - 1));
        long rows = targets.numel();
        bool entropies = entropy || givenEntropy is not null;
        Tensor logProbs = TensorMemory.Fresh(targets, logits.dtype),
            partitions = TensorMemory.Fresh(targets, logits.dtype);
        Tensor? entropyResult = entropies ? TensorMemory.Fresh(targets, logits.dtype) : null,
            gradient = backward ? TensorMemory.Fresh(logits) : null;
        using var source = new NumberSource<T>(logits);
        using var ids = new NumberSource<long>(targets);
        using var counts = new MaskSource<T>(mask);
        using var upstream = new NumberSource<T>(given);
        using var upstreamEntropy = new NumberSource<T>(givenEntropy);
        var m = counts.Pointer;
        T* z = source.Pointer,
            l = TensorMemory.Address<T>(logProbs),
            s = TensorMemory.Address<T>(partitions);
        T* h = entropies ? TensorMemory.Address<T>(entropyResult!) : null,
            g = backward ? TensorMemory.Address<T>(gradient!) : null;
        T* u = upstream.Pointer,
            w = upstreamEntropy.Pointer;
        long* y = ids.Pointer;
        bool masked = mask is not null;
        LogProbRow.CheckTargets(y, rows, width, masked, m);
        Workers.Run(
            rows,
            logits.numel(),
            row =>
            {
                T* from = z + row * width,
                    to = g == null ? null : g + row * width;
                if (masked && m.Get(row) == 0)
                {
                    Scalars.Set(l + row, 0);
                    Scalars.Set(s + row, 0);
                    if (h != null)
                        Scalars.Set(h + row, 0);
                    if (to != null)
                        new Span<T>(to, width).Clear();
                    return;
                }
                double max = SoftmaxRow.Max(from, width),
                    sum = SoftmaxRow.Sum(from, max, width, to, h != null, out double cross),
                    log = Math.Log(sum);
                double entropyOfRow = log - cross / sum;
                Scalars.Set(l + row, Scalars.Get(from + y[row]) - max - log);
                Scalars.Set(s + row, max + log);
                if (h != null)
                    Scalars.Set(h + row, entropyOfRow);
                if (to == null)
                    return;
                double factor = u == null ? 0 : Scalars.Get(u + row);
                if (w == null)
                    SoftmaxRow.Scale(to, width, -factor / sum, 0);
                else
                {
                    double slope = Scalars.Get(w + row);
                    SoftmaxRow.Scale(to, from, max, width, -(factor + slope * (entropyOfRow - log)) / sum, -slope / sum);
                }
                Scalars.Set(to + y[row], Scalars.Get(to + y[row]) + factor);
            }
        );
        return (new TokenScores(logProbs, entropyResult, partitions), gradient);
    }

    private static ScalarType Check(Tensor logits, Tensor targets, Tensor? mask)
    {
        var type = KernelGuard.Number(logits, nameof(logits));
        Guard.Ids(targets, nameof(targets));
        bool agrees = logits.dim() == targets.dim() + 1;
        for (int i = 0; agrees && i < targets.dim(); i++)
            agrees = logits.size(i) == targets.size(i);
        if (!agrees)
            throw new ArgumentException(
                $"targets has shape {Guard.Shape(targets)}, expected logits' shape {Guard.Shape(logits)} without its last dimension",
                nameof(targets)
            );
        if (mask is not null)
            KernelGuard.SameShape(mask, nameof(mask), targets, nameof(targets));
        return type;
    }
}
