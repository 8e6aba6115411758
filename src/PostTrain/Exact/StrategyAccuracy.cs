namespace PostTrain.Exact;

/// <summary>How often a policy takes a valid way on questions that it was not trained on.</summary>
/// <param name="Sampled">When it draws one: the mean probability of the valid ones.</param>
/// <param name="Greedy">When it takes its likeliest.</param>
public readonly record struct StrategyAccuracy(double Sampled, double Greedy);
