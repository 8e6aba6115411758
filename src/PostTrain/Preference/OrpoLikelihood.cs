namespace PostTrain.Preference;

/// <summary>The tokens of ORPO's likelihood term.</summary>
public enum OrpoLikelihood
{
    /// <summary>The chosen completion's: the mean over completions of their token means (the paper's eq. 6).</summary>
    Completion,

    /// <summary>Prompt and chosen completion together, as a mean over the batch's tokens: what TRL computes.</summary>
    PromptAndCompletion,
}
