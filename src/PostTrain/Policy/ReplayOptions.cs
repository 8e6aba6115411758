using PostTrain.Numerics;

namespace PostTrain.Policy;

/// <summary>A buffer of groups with unequal rewards, which later steps take in place of groups without signal.</summary>
/// <remarks>The newest are taken first. A group comes with the log-probs of the policy that drew it, so that the ratio, its bounds and the
/// masks see how old it is. The buffer is part of checkpoints.</remarks>
public sealed record ReplayOptions
{
    /// <summary>The most groups that are kept, at least 1; the oldest go first.</summary>
    /// <value>The default is 64.</value>
    public int Capacity { get; init; } = 64;

    /// <summary>Steps after which a group is no longer used, at least 1.</summary>
    /// <value>The default is 8.</value>
    public int MaxAge { get; init; } = 8;

    /// <summary>How often a group may be used again, at least 1.</summary>
    /// <value>The default is 1.</value>
    public int MaxUses { get; init; } = 1;

    internal void Validate()
    {
        Guard.AtLeast(Capacity, 1, $"Replay.{nameof(Capacity)}");
        Guard.AtLeast(MaxAge, 1, $"Replay.{nameof(MaxAge)}");
        Guard.AtLeast(MaxUses, 1, $"Replay.{nameof(MaxUses)}");
    }
}
