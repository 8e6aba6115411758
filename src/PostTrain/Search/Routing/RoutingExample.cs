namespace PostTrain.Search;

/// <summary>One question answered by both the fast and the slow system, for <see cref="Router.Fit"/>.</summary>
/// <param name="Signal">Confidence of the fast system, on any scale.</param>
/// <param name="FastQuality">Quality of the fast answer, such as 1 where it is right.</param>
/// <param name="SlowQuality">Quality of the slow answer.</param>
/// <param name="SlowCost">Additional cost of the slow answer, such as seconds or tokens.</param>
public sealed record RoutingExample(double Signal, double FastQuality, double SlowQuality, double SlowCost);
