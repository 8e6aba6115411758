using PostTrain.Numerics;

namespace PostTrain.Training;

/// <summary>When a rollout source gets the policy's weights, and when its completions count as stale: drawn by weights that are too old,
/// or by a model whose log-probs are too far from the policy's.</summary>
public sealed record StalenessLimits
{
    /// <summary>Optimiser updates between deliveries of weights to the source, k: before a draw the source gets the policy's weights if it
    /// is k or more updates behind. At least 1. An evaluation is always drawn with the present weights.</summary>
    /// <value>The default is 1: every draw is on-policy.</value>
    public int UpdatesPerDelivery { get; init; } = 1;

    /// <summary>The most updates by which the weights of a completion may lie behind the policy's, at least 0. Completions without a
    /// version are not looked at.</summary>
    /// <value>The default is null: <see cref="UpdatesPerDelivery"/> − 1, what the deliveries lead to.</value>
    public int? MaximumLag { get; init; }

    /// <summary>The largest gap, in nats: mean over the tokens of a draw of |log π − log μ|, of the policy's log-prob and the source's;
    /// above 0. Positive infinity looks at no gap.</summary>
    /// <value>The default is 0.25. Equal weights in float32 have a gap below 1e-4, in 16 bits about 0.01, in 4 to 8 bits up to
    /// 0.1.</value>
    public double MaximumGap { get; init; } = 0.25;

    /// <summary>Action on a stale draw.</summary>
    /// <value>The default is <see cref="StalenessAction.Throw"/>.</value>
    public StalenessAction Action { get; init; } = StalenessAction.Throw;

    internal void Validate()
    {
        Guard.AtLeast(UpdatesPerDelivery, 1, nameof(UpdatesPerDelivery));
        if (MaximumLag is { } lag)
            Guard.AtLeast(lag, 0, nameof(MaximumLag));
        if (!(MaximumGap > 0))
            throw new ArgumentOutOfRangeException(nameof(MaximumGap), MaximumGap, "MaximumGap must be above 0");
        if (!Enum.IsDefined(Action))
            throw new ArgumentOutOfRangeException(nameof(Action), Action, "Action must be one of the enumeration's");
    }
}
