namespace PostTrain.Training.Reports;

/// <summary>A key number at the top of a report.</summary>
/// <param name="Name">Its name, such as <c>Accuracy after</c>.</param>
/// <param name="Value">The number with its unit, such as <c>98.0 %</c>.</param>
/// <param name="Note">A line below it, such as its interval; null for none.</param>
public sealed record SummaryTile(string Name, string Value, string? Note = null);
