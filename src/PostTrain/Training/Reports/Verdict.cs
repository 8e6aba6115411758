namespace PostTrain.Training.Reports;

/// <summary>A verifier's verdict on a completion.</summary>
/// <param name="Good">True is shown as a green tick, false as a red cross.</param>
/// <param name="Text">One or two words, such as <c>correct</c> or <c>wrong format</c>.</param>
public sealed record Verdict(bool Good, string Text);
