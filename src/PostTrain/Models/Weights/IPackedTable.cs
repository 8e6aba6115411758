using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>The rows of an embedding in another form than a parameter.</summary>
internal interface IPackedTable : IDisposable
{
    /// <summary>Number of rows.</summary>
    long Rows { get; }

    /// <summary>Numbers of a row.</summary>
    long Width { get; }

    /// <summary>Type of the rows.</summary>
    ScalarType Type { get; }

    /// <summary>The device of the values.</summary>
    Device Device { get; }

    /// <summary>The tensors that stand for them, with their names.</summary>
    IReadOnlyList<(string Name, Tensor Tensor)> Parts { get; }

    /// <summary>All rows, fresh.</summary>
    Tensor Dequantize();

    /// <summary>[...] ids to fresh rows [..., D].</summary>
    /// <exception cref="ArgumentException">An id is no row.</exception>
    Tensor Select(Tensor ids);

    /// <summary>[..., D] to the products with all rows, [..., rows].</summary>
    Tensor Project(Tensor hidden);

    /// <summary>To another device or type; null leaves it.</summary>
    void Move(Device? device, ScalarType? type);
}
