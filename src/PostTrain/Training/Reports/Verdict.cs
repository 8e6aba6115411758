namespace PostTrain.Training.Reports;

/// <summary>What a verifier said of a completion.</summary>
/// <param name="Good">Shown as a tick in green, or as a cross in red.</param>
/// <param name="Text">In a word or two, such as <c>correct</c> or <c>wrong format</c>.</param>
public sealed record Verdict(bool Good, string Text);
