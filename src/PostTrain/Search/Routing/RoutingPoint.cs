namespace PostTrain.Search;

/// <summary>The average results of a router with one threshold.</summary>
/// <param name="Threshold">The slow system is called below it.</param>
/// <param name="Slow">Share of questions that it is called for.</param>
/// <param name="Quality">Mean quality.</param>
/// <param name="Cost">Mean cost of the slow calls.</param>
public sealed record RoutingPoint(double Threshold, double Slow, double Quality, double Cost);
