using PostTrain.Numerics;

namespace PostTrain.Rewards;

/// <summary>Options of <see cref="Reward.Batched"/>.</summary>
public sealed record BatchOptions
{
    /// <summary>Maximum number of completions per call, at least 1. A group is never split, so a larger group is one call. Default
    /// 1.</summary>
    public int Size { get; init; } = 1;

    /// <summary>Maximum number of concurrent calls, at least 1. The reward must support that many. Default 8.</summary>
    public int Parallelism { get; init; } = 8;

    internal BatchOptions Validated()
    {
        Guard.AtLeast(Size, 1, nameof(Size));
        Guard.AtLeast(Parallelism, 1, nameof(Parallelism));
        return this;
    }
}
