namespace PostTrain.Training.Reports;

/// <summary>One point of a curve.</summary>
/// <param name="Step">The training step (x axis).</param>
/// <param name="Value">The value (y axis). NaN and infinities leave a gap in the line.</param>
public readonly record struct CurvePoint(double Step, double Value);
