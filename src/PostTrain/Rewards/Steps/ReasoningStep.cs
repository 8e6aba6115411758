namespace PostTrain.Rewards.Steps;

/// <summary>A step of a completion.</summary>
/// <param name="Start">Start position in the completion's text.</param>
/// <param name="End">End position, without its separator.</param>
/// <param name="Text">The text of the step, trimmed.</param>
public sealed record ReasoningStep(int Start, int End, string Text);
