using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary>Arguments of <see cref="PairPass"/>. Tensors are [B] of one type, or are converted to that of
/// <paramref name="Chosen"/>.</summary>
/// <param name="Chosen">log π of the chosen completions.</param>
/// <param name="Rejected">log π of the rejected ones.</param>
/// <param name="Form">The loss of the scores.</param>
/// <param name="Link">The score of a log-ratio.</param>
internal sealed record PairCall(Tensor Chosen, Tensor Rejected, PairForm Form, ScoreForm Link)
{
    /// <summary>log π_ref of the chosen completions; null for none.</summary>
    internal Tensor? ChosenAnchor { get; init; }

    /// <summary>log π_ref of the rejected completions.</summary>
    internal Tensor? RejectedAnchor { get; init; }

    /// <summary>Tokens of the chosen completions, where <see cref="NeedsChosenLengths"/>.</summary>
    internal Tensor? ChosenLengths { get; init; }

    /// <summary>Tokens of the rejected completions, where <see cref="NeedsRejectedLengths"/>.</summary>
    internal Tensor? RejectedLengths { get; init; }

    /// <summary>A factor of each pair's loss; null for 1.</summary>
    internal Tensor? Weights { get; init; }

    internal double Beta { get; init; } = 1;

    /// <summary>The divisor of the sum over pairs.</summary>
    internal double Divisor { get; init; } = 1;

    /// <summary>Mean tokens of the whole batch's chosen completions; null where these are the whole batch.</summary>
    internal double? MeanChosenLength { get; init; }

    /// <summary>λ of DPO-Positive.</summary>
    internal double PositivePenalty { get; init; }

    /// <summary>Leaves the anchors out of the scores, not out of the rewards.</summary>
    internal bool ReferenceFree { get; init; }

    /// <summary>Divides log-ratios by lengths before the link.</summary>
    internal bool NormalizesFirst { get; init; }

    /// <summary>Rewards are scores times <see cref="RewardFactor"/>, not log-ratios times it.</summary>
    internal bool RewardsAreScores { get; init; }

    internal double RewardFactor { get; init; } = 1;

    internal bool NeedsChosenLengths => NormalizesFirst || Form.LengthReason is not null;

    internal bool NeedsRejectedLengths => NormalizesFirst || Form.NeedsRejectedLengths;

    /// <summary>True if the pass can read these: see <see cref="Fused.Takes(Tensor, ReadOnlySpan{Tensor})"/>; and no length is
    /// missing.</summary>
    internal bool IsTaken =>
        Fused.Takes(Chosen, Rejected, ChosenAnchor, RejectedAnchor)
        && (Weights is null || Fused.Takes(Weights, Chosen))
        && (!NeedsChosenLengths || ChosenLengths is { device_type: TorchSharp.DeviceType.CPU })
        && (!NeedsRejectedLengths || RejectedLengths is { device_type: TorchSharp.DeviceType.CPU });
}
