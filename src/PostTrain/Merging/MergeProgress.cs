namespace PostTrain.Merging;

/// <summary>State of a merge after a tensor was written.</summary>
/// <param name="Written">Tensors written.</param>
/// <param name="Total">Tensors in all.</param>
/// <param name="Name">The tensor written last.</param>
public sealed record MergeProgress(int Written, int Total, string Name);
