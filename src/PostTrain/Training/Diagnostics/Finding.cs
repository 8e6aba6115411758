namespace PostTrain.Training.Diagnostics;

/// <summary>A finding of a <see cref="DiagnosticRule"/>.</summary>
/// <param name="Value">The number that raised it.</param>
/// <param name="Message">One sentence with the numbers.</param>
public readonly record struct Finding(double Value, string Message);
