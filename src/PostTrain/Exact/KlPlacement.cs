namespace PostTrain.Exact;

/// <summary>Where the divergence from the reference is charged.</summary>
public enum KlPlacement
{
    /// <summary>Subtracted from the reward of the completion, without a gradient of its own.</summary>
    Reward,

    /// <summary>A term of the loss, with a gradient of its own.</summary>
    Loss,
}
