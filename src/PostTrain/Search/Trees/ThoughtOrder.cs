namespace PostTrain.Search;

/// <summary>In which order a tree of thoughts is searched.</summary>
public enum ThoughtOrder
{
    /// <summary>Level by level, the best of each level.</summary>
    BreadthFirst,

    /// <summary>The best thought first, going back where it leads nowhere.</summary>
    DepthFirst,
}
