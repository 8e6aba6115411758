using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>A tensor of a safetensors file: its name, element type, shape and location.</summary>
/// <param name="Name">Name of the tensor, unique in the file.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Sizes, row-major; empty for a scalar.</param>
/// <param name="Offset">Position of the first byte from the start of the file.</param>
/// <param name="Length">Length in bytes.</param>
public sealed record SafetensorsEntry(string Name, ScalarType Type, IReadOnlyList<long> Shape, long Offset, long Length);
