namespace PostTrain.Refinement;

/// <summary>The rule that selects the text after a revision.</summary>
public enum RefinementRule
{
    /// <summary>Always the revision.</summary>
    TakeRevision,

    /// <summary>The revision if its feedback's score is above the earlier one's, otherwise the earlier text. With the model's own score,
    /// the result is only as good as the score.</summary>
    KeepBetter,
}
