namespace PostTrain.Rewards.Steps;

/// <summary>A step of a completion.</summary>
/// <param name="Start">Where it begins in the completion's text.</param>
/// <param name="End">Where it ends, its separator not included.</param>
/// <param name="Text">The step, trimmed.</param>
public sealed record ReasoningStep(int Start, int End, string Text);
