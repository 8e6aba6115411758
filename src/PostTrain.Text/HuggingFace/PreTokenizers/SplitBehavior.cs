namespace PostTrain.Text.HuggingFace;

/// <summary>Treatment of the delimiters when a piece is split.</summary>
internal enum SplitBehavior
{
    /// <summary>They are dropped.</summary>
    Removed,

    /// <summary>Each one is a piece.</summary>
    Isolated,

    /// <summary>They end the piece before them.</summary>
    MergedWithPrevious,

    /// <summary>They begin the piece after them.</summary>
    MergedWithNext,

    /// <summary>Adjacent ones form one piece.</summary>
    Contiguous,
}
