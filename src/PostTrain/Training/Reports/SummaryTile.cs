namespace PostTrain.Training.Reports;

/// <summary>One number that a reader should see first.</summary>
/// <param name="Name">What it is, such as <c>Accuracy after</c>.</param>
/// <param name="Value">The number with its unit, such as <c>98.0 %</c>.</param>
/// <param name="Note">A line under it, such as its interval; null for none.</param>
public sealed record SummaryTile(string Name, string Value, string? Note = null);
