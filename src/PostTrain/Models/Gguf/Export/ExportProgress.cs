namespace PostTrain.Models.Gguf;

/// <summary>State of an export after a tensor was written.</summary>
/// <param name="Written">Tensors written.</param>
/// <param name="Total">Tensors in all.</param>
/// <param name="Name">The tensor written last, by its name in the file.</param>
public sealed record ExportProgress(int Written, int Total, string Name);
