namespace PostTrain.Compression;

/// <summary>How far a pass over layers or batches is.</summary>
/// <param name="Done">Batches or layers done.</param>
/// <param name="Total">Of how many; null where nobody knows.</param>
/// <param name="Name">The layer that is done; empty for batches.</param>
public readonly record struct CompressionProgress(int Done, int? Total, string Name = "");
