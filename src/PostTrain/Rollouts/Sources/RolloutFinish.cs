namespace PostTrain.Rollouts;

/// <summary>Reason for which a completion ended.</summary>
public enum RolloutFinish
{
    /// <summary>A stop token or a stop string ended it.</summary>
    Stop,

    /// <summary>It has as many tokens as it may have, or its context is full.</summary>
    Length,

    /// <summary>An environment had more to say, and the policy's turns were used up.</summary>
    Turns,

    /// <summary>An environment did not answer in time.</summary>
    Timeout,
}
