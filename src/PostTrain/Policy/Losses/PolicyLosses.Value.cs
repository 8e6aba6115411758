using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Policy.Estimators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Losses;

public static partial class PolicyLosses
{
    /// <summary>Computes the value loss L = ½·agg[max((V − R)², (clip(V, V_old ± ε) − R)²)]; without ε, ½·agg[(V − R)²].</summary>
    /// <remarks>
    /// PPO's clipped value loss as in the reference implementation of Schulman et al. 2017 (OpenAI baselines, ppo2). No gradient
    /// flows through <paramref name="oldValues"/> or <paramref name="returns"/>. A mask without a counted token gives 0.
    /// </remarks>
    /// <param name="values">V, [B,T].</param>
    /// <param name="oldValues">V at sampling time, [B,T].</param>
    /// <param name="returns">R, [B,T]; see <see cref="AdvantageEstimate.Returns"/>.</param>
    /// <param name="mask">[B,T]; 1 where the token counts.</param>
    /// <param name="clip">ε, at least 0; null for no clipping.</param>
    /// <param name="aggregation">The aggregation; null means the token mean.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch if this is a part of it; null means its own.</param>
    /// <exception cref="ArgumentException">Shapes do not agree; the message names both.</exception>
    public static ValueLoss Value(
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
        Guard.Floating(values, nameof(values));
        Guard.SameShape(oldValues, nameof(oldValues), values, nameof(values));
        Guard.SameShape(returns, nameof(returns), values, nameof(values));
        Guard.SameShape(mask, nameof(mask), values, nameof(values));
        if (clip is { } range)
            Guard.NotNegative(range, nameof(clip));

        using var scope = NewDisposeScope();
        if (Fused.Takes(values, oldValues, returns) && mask.device_type == DeviceType.CPU && TokenWeights.Takes(aggregation))
        {
            if (denominator is { } given)
                Guard.NotNegative(given, nameof(denominator));
            var found = ValuePass.Run(values, oldValues, returns, mask, clip, aggregation, denominator);
            var (sum, each) = LossOperator.Run(
                found.Loss,
                found.Losses,
                [found.Gradient],
                [values, oldValues, returns, mask],
                own =>
                {
                    var again = Value(own[0]!, own[1]!, own[2]!, own[3]!, clip, aggregation, denominator);
                    return (again.Loss, again.TokenLosses);
                }
            );
            return new ValueLoss(
                sum.MoveToOuterDisposeScope(),
                each.MoveToOuterDisposeScope(),
                PolicyCall.Scalar(found.ClipFraction, each)
            );
        }
        var target = Masked.Counted(returns.detach(), mask);
        var old = Masked.Counted(oldValues.detach(), mask);
        var value = Masked.Counted(values, mask);
        var free = (value - target).square();
        var losses = free;
        var cut = zeros_like(value, dtype: ScalarType.Bool);
        if (clip is { } epsilon)
        {
            // If the clipped loss is the larger one, it is constant. Written as this choice, rounding within the range clips nothing.
            var change = (value - old).detach();
            var bounded = (change.clamp(-epsilon, epsilon) + old - target).square();
            cut = (change.abs() > epsilon).logical_and(bounded > free.detach());
            losses = where(cut, bounded, free);
        }
        losses = losses * 0.5;
        var loss = (aggregation ?? LossAggregation.TokenMean).Apply(losses, mask, denominator);
        var clipFraction = Masked.Mean(cut.to_type(value.dtype), mask);
        return new ValueLoss(loss.MoveToOuterDisposeScope(), losses.MoveToOuterDisposeScope(), clipFraction.MoveToOuterDisposeScope());
    }
}
