namespace PostTrain.Exact;

/// <summary>The accuracy of a policy on held-out questions.</summary>
/// <param name="Sampled">Accuracy of sampling: the mean probability of the valid strategies.</param>
/// <param name="Greedy">Accuracy of the most likely strategy.</param>
public readonly record struct StrategyAccuracy(double Sampled, double Greedy);
