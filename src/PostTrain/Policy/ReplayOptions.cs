using PostTrain.Numerics;

namespace PostTrain.Policy;

/// <summary>Options of a buffer of groups with unequal rewards, which later steps use instead of groups with equal rewards.</summary>
/// <remarks>A group keeps the log-probs of the policy that sampled it, so the ratio, its bounds and the masks
/// account for its age. The buffer is part of checkpoints.</remarks>
public sealed record ReplayOptions
{
    /// <summary>Maximum number of groups, at least 1.</summary>
    /// <value>The default is 64.</value>
    public int Capacity { get; init; } = 64;

    /// <summary>Steps after which a group is no longer used, at least 1.</summary>
    /// <value>The default is 8.</value>
    public int MaxAge { get; init; } = 8;

    /// <summary>Maximum number of times that a group is used again, at least 1.</summary>
    /// <value>The default is 1.</value>
    public int MaxUses { get; init; } = 1;

    /// <summary>Order in which groups are used and evicted.</summary>
    /// <value>The default is <see cref="ReplayOrder.Newest"/>.</value>
    public ReplayOrder Order { get; init; }

    internal void Validate()
    {
        if (!Enum.IsDefined(Order))
            throw new ArgumentOutOfRangeException(nameof(Order), Order, "Replay.Order must be Newest or Spread");
        Guard.AtLeast(Capacity, 1, $"Replay.{nameof(Capacity)}");
        Guard.AtLeast(MaxAge, 1, $"Replay.{nameof(MaxAge)}");
        Guard.AtLeast(MaxUses, 1, $"Replay.{nameof(MaxUses)}");
    }
}
