namespace PostTrain.Training.Reports;

/// <summary>A named part of a whole.</summary>
/// <param name="Name">The name of the part.</param>
/// <param name="Amount">The amount, at least 0. A value that is not finite counts as 0.</param>
/// <param name="Text">The amount as text, such as <c>12.3 s</c>.</param>
public sealed record NamedShare(string Name, double Amount, string Text);
