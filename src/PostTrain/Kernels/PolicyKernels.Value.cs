using PostTrain.Numerics;
using PostTrain.Policy.Losses;
using static TorchSharp.torch;

namespace PostTrain.Kernels;

public static partial class PolicyKernels
{
    /// <summary>Value loss, as <see cref="PolicyLosses.Value"/>.</summary>
    /// <param name="values">V, [B,T].</param>
    /// <param name="oldValues">V at sampling time, [B,T].</param>
    /// <param name="returns">R, [B,T].</param>
    /// <param name="mask">[B,T]; 1 where the token counts.</param>
    /// <param name="clip">ε, at least 0; no clipping when null.</param>
    /// <param name="aggregation">Token mean when null.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch where this is a part of it; its own when null.</param>
    /// <exception cref="ArgumentException">Shapes do not agree; the message names both.</exception>
    public static ValueLossWithGradient Value(
        Tensor values,
        Tensor oldValues,
        Tensor returns,
        Tensor mask,
        double? clip = null,
        LossAggregation? aggregation = null,
        double? denominator = null
    )
    {
        Guard.Rank(values, nameof(values), 2, "[B,T]");
        KernelGuard.Number(values, nameof(values));
        KernelGuard.SameShape(oldValues, nameof(oldValues), values, nameof(values));
        KernelGuard.SameShape(returns, nameof(returns), values, nameof(values));
        KernelGuard.SameShape(mask, nameof(mask), values, nameof(values));
        TokenWeights.Check(aggregation);
        if (clip is { } range)
            Guard.NotNegative(range, nameof(clip));
        if (denominator is { } given)
            Guard.NotNegative(given, nameof(denominator));
        var found = ValuePass.Run(values, oldValues, returns, mask, clip, aggregation, denominator);
        return new ValueLossWithGradient(found.Loss, found.Losses, found.Gradient, found.ClipFraction);
    }
}
