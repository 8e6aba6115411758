namespace PostTrain.Training.Reports;

/// <summary>One point of a curve.</summary>
/// <param name="Step">The training step, x.</param>
/// <param name="Value">y. NaN and the infinities leave a gap in the line.</param>
public readonly record struct CurvePoint(double Step, double Value);
