namespace PostTrain.Models.Gguf;

/// <summary>One tensor of a GGUF file.</summary>
/// <param name="Name">Name of the tensor, unique in the file.</param>
/// <param name="Type">Type of its elements.</param>
/// <param name="Shape">Sizes, row-major as everywhere in this library; the file lists them the other way round.</param>
/// <param name="Offset">Position of the first byte, counted from the start of the file.</param>
/// <param name="Length">Length in bytes.</param>
public sealed record GgufTensor(string Name, GgufType Type, IReadOnlyList<long> Shape, long Offset, long Length);
