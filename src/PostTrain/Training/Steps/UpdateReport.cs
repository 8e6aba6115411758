namespace PostTrain.Training;

/// <summary>The report of one optimiser step.</summary>
/// <param name="Loss">Sum of the parts' losses: the loss of the whole batch.</param>
/// <param name="GradNorm">Norm of the gradient before clipping.</param>
/// <param name="LearningRate">The learning rate used.</param>
public readonly record struct UpdateReport(double Loss, double GradNorm, double LearningRate);
