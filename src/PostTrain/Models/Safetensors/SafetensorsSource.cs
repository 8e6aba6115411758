using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>A tensor to be written, made when its turn comes.</summary>
/// <param name="Name">Unique in the file.</param>
/// <param name="Type">Type that it is written as.</param>
/// <param name="Shape">Sizes, row-major.</param>
/// <param name="Make">Gives the tensor.</param>
internal sealed record SafetensorsSource(string Name, ScalarType Type, IReadOnlyList<long> Shape, Func<Tensor> Make)
{
    /// <summary>Number of elements.</summary>
    public long Elements => Shape.Aggregate(1L, (product, size) => product * size);

    /// <summary>Bytes in the file.</summary>
    public long Bytes => Elements * SafetensorsTypes.SizeOf(Type);
}
