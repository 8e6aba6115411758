namespace PostTrain.Training;

/// <summary>What one optimiser step did.</summary>
/// <param name="Loss">Sum of the parts' losses: the loss of the whole batch.</param>
/// <param name="GradNorm">Norm of the gradient before it was clipped.</param>
/// <param name="LearningRate">The rate that was used.</param>
public readonly record struct UpdateReport(double Loss, double GradNorm, double LearningRate);
