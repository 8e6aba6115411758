namespace PostTrain.Rollouts;

/// <summary>Why a completion got no further token.</summary>
public enum RolloutFinish
{
    /// <summary>A stop token or a stop string ended it.</summary>
    Stop,

    /// <summary>It has as many tokens as it may have, or its context is full.</summary>
    Length,
}
