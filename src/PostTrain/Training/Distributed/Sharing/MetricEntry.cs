namespace PostTrain.Training.Distributed;

/// <summary>A mean that a part adds to those of its update.</summary>
/// <param name="Name">Name of the metric.</param>
/// <param name="Mean">Mean over the part.</param>
/// <param name="Weight">Weight of the part.</param>
internal readonly record struct MetricEntry(string Name, double Mean, double Weight);
