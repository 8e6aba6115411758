using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>A linear layer that holds its weight in another form than a parameter of its size, and trains none of it.</summary>
internal interface IPackedWeight
{
    /// <summary>Numbers of a row of the weight.</summary>
    long Inputs { get; }

    /// <summary>Rows of the weight.</summary>
    long Outputs { get; }

    /// <summary>Type of the weight that it stands for, in which the layer computes.</summary>
    ScalarType Type { get; }

    /// <summary>The device of the weight.</summary>
    Device Device { get; }

    /// <summary>The bias, or null.</summary>
    Parameter? Bias { get; }

    /// <summary>The tensors that stand for the weight, with their names.</summary>
    IReadOnlyList<(string Name, Tensor Tensor)> Parts { get; }

    /// <summary>The weight, [out,in], fresh.</summary>
    Tensor Dequantize();
}
