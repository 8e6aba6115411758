namespace PostTrain.Training.Reports;

/// <summary>A part of a whole.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Amount">How much, at least 0; what is not finite counts as 0.</param>
/// <param name="Text">How the amount is to be read, such as <c>12.3 s</c>.</param>
public sealed record NamedShare(string Name, double Amount, string Text);
