namespace PostTrain.Training.Diagnostics;

/// <summary>What a rule found.</summary>
/// <param name="Value">The number that it went by.</param>
/// <param name="Message">A sentence with the numbers.</param>
public readonly record struct Finding(double Value, string Message);
