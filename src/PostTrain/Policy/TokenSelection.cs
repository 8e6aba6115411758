using PostTrain.Numerics;
using PostTrain.Policy.Estimators;

namespace PostTrain.Policy;

/// <summary>The generated tokens that count in a policy loss.</summary>
public sealed record TokenSelection
{
    /// <summary>True to exclude completions truncated by the length limit (DAPO's overlong filtering): <see
    /// cref="CompletionMasks.WithoutUnfinished"/>. They still count in their group's baseline.</summary>
    /// <value>The default is false.</value>
    public bool DropUnfinished { get; init; }

    /// <summary>Share of tokens, those of highest entropy over the whole batch, that are trained: <see cref="CompletionMasks.TopEntropy"/>.
    /// Below 1 it costs a forward pass over the batch.</summary>
    /// <value>The default is 1: all.</value>
    public double TopEntropy { get; init; } = 1;

    /// <summary>Excludes completions with a negative advantage once the policy has moved away from them by more than this, in nats per
    /// token: <see cref="CompletionMasks.OnPolicySequences"/>. Null for no limit.</summary>
    /// <value>The default is null.</value>
    public double? OffPolicyThreshold { get; init; }

    internal void Validate()
    {
        Guard.Fraction(TopEntropy, $"Tokens.{nameof(TopEntropy)}");
        if (OffPolicyThreshold is { } threshold)
            Guard.NotNegative(threshold, $"Tokens.{nameof(OffPolicyThreshold)}");
    }
}
