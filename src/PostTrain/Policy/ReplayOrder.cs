namespace PostTrain.Policy;

/// <summary>Rule by which a replay buffer uses and evicts groups.</summary>
public enum ReplayOrder
{
    /// <summary>The newest are used first; beyond the capacity the oldest are removed.</summary>
    Newest,

    /// <summary>Groups are drawn with probabilities in proportion to the standard deviation of their rewards, without repetition; a full
    /// buffer takes a group only if its standard deviation is above the least one, which goes (TRL's replay buffer).</summary>
    Spread,
}
