using System.Runtime.Intrinsics;
using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using TorchSharp;
using static TorchSharp.torch;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Kernels;

/// <summary>Losses of completions that were each judged alone, with their gradients, in one pass over CPU memory.</summary>
/// <remarks>Float32 and float64; computed in float64. The first tensor's type is that of the results. Results are fresh tensors; the
/// caller owns them.</remarks>
/// <exception cref="NotSupportedException">The tensors are not on the CPU, or of a 16-bit type.</exception>
public static unsafe class CompletionKernels
{
    private static readonly KtoObjective DefaultKto = new();

    /// <summary>KTO, as <see cref="UnpairedLosses.Kto"/>.</summary>
    /// <param name="logProbs">Sequence log-probabilities log π(y|x), [B].</param>
    /// <param name="referenceLogProbs">Under the reference, [B].</param>
    /// <param name="desirable">[B], bool or 0/1.</param>
    /// <param name="referencePoint">z₀, see <see cref="ReferencePoint"/>.</param>
    /// <param name="options">Defaults when null.</param>
    /// <param name="denominator">Divisor of the sum; B when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static CompletionLossWithGradient Kto(
        Tensor logProbs,
        Tensor referenceLogProbs,
        Tensor desirable,
        double referencePoint = 0,
        KtoObjective? options = null,
        double? denominator = null
    )
    {
        options ??= DefaultKto;
        options.Validate();
        Check(logProbs, nameof(logProbs), referenceLogProbs, nameof(referenceLogProbs));
        KernelGuard.SameShape(desirable, nameof(desirable), logProbs, nameof(logProbs));
        var found = CompletionPass.Kto(
            UnpairedLosses.KtoCall(logProbs, referenceLogProbs, desirable, referencePoint, options, denominator)
        );
        found.Rewards.Dispose();
        return new CompletionLossWithGradient(found.Loss, found.Losses, found.Gradient, found.Reward);
    }

    /// <summary>KTO's z₀ = max(0, mean(log π(y′) − log π_ref(y′))), as <see cref="UnpairedLosses.ReferencePoint"/>; 0 for no
    /// completion.</summary>
    /// <param name="mismatchedLogProbs">log π(y′|x) of each prompt with another prompt's completion, [B].</param>
    /// <param name="mismatchedReferenceLogProbs">Under the reference, [B].</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static double ReferencePoint(Tensor mismatchedLogProbs, Tensor mismatchedReferenceLogProbs) =>
        Check(mismatchedLogProbs, nameof(mismatchedLogProbs), mismatchedReferenceLogProbs, nameof(mismatchedReferenceLogProbs))
        == ScalarType.Float32
            ? ReferencePoint<float>(mismatchedLogProbs, mismatchedReferenceLogProbs)
            : ReferencePoint<double>(mismatchedLogProbs, mismatchedReferenceLogProbs);

    private static double ReferencePoint<T>(Tensor mismatchedLogProbs, Tensor mismatchedReferenceLogProbs)
        where T : unmanaged
    {
        long rows = mismatchedLogProbs.size(0);
        using var current = new NumberSource<T>(mismatchedLogProbs);
        using var reference = new NumberSource<T>(mismatchedReferenceLogProbs);
        var sum = V.Zero;
        for (long i = 0; i < rows; i += Lanes.Count)
            sum += Lanes.Load(current.Pointer + i, rows - i) - Lanes.Load(reference.Pointer + i, rows - i);
        return Math.Max(0, Vector256.Sum(sum) / Math.Max(rows, 1));
    }

    private static ScalarType Check(Tensor logProbs, string name, Tensor referenceLogProbs, string referenceName)
    {
        Guard.Rank(logProbs, name, 1, "[B]");
        var type = KernelGuard.Number(logProbs, name);
        KernelGuard.SameShape(referenceLogProbs, referenceName, logProbs, name);
        return type;
    }
}
