namespace PostTrain.Policy.Losses;

/// <summary>What the terms of an objective are divided by over a whole batch, for the loss of a part of it: <see
/// cref="PolicyObjective.Denominators"/>.</summary>
/// <param name="Loss">Of <see cref="PolicyObjective.Aggregation"/>, for surrogate and KL term.</param>
/// <param name="Entropy">Of the entropy bonus: the same, or that of <see cref="PolicyObjective.EntropyAggregation"/>.</param>
public readonly record struct PolicyDenominators(double Loss, double Entropy);
