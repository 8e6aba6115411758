namespace PostTrain.Refinement;

/// <summary>Which of two texts stands after a revision.</summary>
public enum RefinementRule
{
    /// <summary>The revision, always.</summary>
    TakeRevision,

    /// <summary>The revision where its feedback's score is above the earlier one's, else the earlier text. Where the score is the model's
    /// own, a revision can only be as good as the score.</summary>
    KeepBetter,
}
