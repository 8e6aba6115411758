namespace PostTrain.Search;

/// <summary>The aggregation of simulation values to the values of the nodes above.</summary>
public enum TreeBackup
{
    /// <summary>Their mean.</summary>
    Mean,

    /// <summary>The highest. For values without noise: it keeps the luckiest value, not the likeliest.</summary>
    Maximum,
}
