namespace PostTrain.Search;

/// <summary>How the values of simulations become the value of the nodes above.</summary>
public enum TreeBackup
{
    /// <summary>Their mean.</summary>
    Mean,

    /// <summary>The highest. For values without noise: it keeps the luckiest value, not the likeliest.</summary>
    Maximum,
}
