namespace PostTrain.Exact;

/// <summary>The place of the KL term.</summary>
public enum KlPlacement
{
    /// <summary>Subtracted from the reward of the completion; no gradient of its own.</summary>
    Reward,

    /// <summary>A term of the loss, with its own gradient.</summary>
    Loss,
}
