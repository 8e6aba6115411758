namespace PostTrain.Search;

/// <summary>The continuation or end of a solution after a step.</summary>
public enum StepEnd
{
    /// <summary>Further steps can follow.</summary>
    Open,

    /// <summary>The step ends the solution by itself: a stop token or a stop string.</summary>
    Finished,

    /// <summary>The solution is cut off: the limit on its tokens, or the end of the context.</summary>
    CutOff,
}
