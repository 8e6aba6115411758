namespace PostTrain.Training;

/// <summary>The best evaluation of a run.</summary>
/// <param name="Step">The step after which it was made.</param>
/// <param name="Value">The value of its metric.</param>
/// <param name="Since">Number of evaluations since then, none of them better.</param>
public sealed record BestEvaluation(long Step, double Value, int Since);
