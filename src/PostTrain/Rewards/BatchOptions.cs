using PostTrain.Numerics;

namespace PostTrain.Rewards;

/// <summary>How <see cref="Reward.Batched"/> splits a list.</summary>
public sealed record BatchOptions
{
    /// <summary>The most completions of one call, at least 1. A group is never split, so a larger group is one call. Default 1.</summary>
    public int Size { get; init; } = 1;

    /// <summary>The most calls at a time, at least 1. Default 8. The reward must bear that many.</summary>
    public int Parallelism { get; init; } = 8;

    internal BatchOptions Validated()
    {
        Guard.AtLeast(Size, 1, nameof(Size));
        Guard.AtLeast(Parallelism, 1, nameof(Parallelism));
        return this;
    }
}
