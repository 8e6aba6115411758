using PostTrain.Numerics;
using PostTrain.Policy.Estimators;

namespace PostTrain.Policy;

/// <summary>Which generated tokens a policy loss learns from.</summary>
public sealed record TokenSelection
{
    /// <summary>Leave completions out that the length limit ended (DAPO's overlong filtering):
    /// <see cref="CompletionMasks.WithoutUnfinished"/>. They still take part in their group's baseline.</summary>
    /// <value>The default is false.</value>
    public bool DropUnfinished { get; init; }

    /// <summary>The share of tokens, those of highest entropy over the whole batch, that learn: <see cref="CompletionMasks.TopEntropy"/>.
    /// Below 1 it costs a pass over the batch.</summary>
    /// <value>The default is 1: all.</value>
    public double TopEntropy { get; init; } = 1;

    /// <summary>Leave completions with a negative advantage out once the policy has moved away from them by more than this, in nats a
    /// token: <see cref="CompletionMasks.OnPolicySequences"/>.</summary>
    /// <value>The default is null.</value>
    public double? OffPolicyThreshold { get; init; }

    internal void Validate()
    {
        Guard.Fraction(TopEntropy, $"Tokens.{nameof(TopEntropy)}");
        if (OffPolicyThreshold is { } threshold)
            Guard.NotNegative(threshold, $"Tokens.{nameof(OffPolicyThreshold)}");
    }
}
