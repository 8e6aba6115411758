namespace PostTrain.Recipes;

/// <summary>Result of Big-Math's three criteria for a problem.</summary>
/// <param name="IsVerifiable">Its answer is one value that the answer checker can compare.</param>
/// <param name="IsOpenEnded">It offers no options, and cannot be answered by yes, no, true or false, nor by a proof.</param>
/// <param name="IsClosedForm">Its answer is an exact expression.</param>
/// <param name="Reason">The first criterion that fails, in words; null where none does.</param>
public sealed record MathVerdict(bool IsVerifiable, bool IsOpenEnded, bool IsClosedForm, string? Reason)
{
    /// <summary>True if all three hold.</summary>
    public bool IsSuitable => IsVerifiable && IsOpenEnded && IsClosedForm;
}
