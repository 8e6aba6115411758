using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>A way to quantise a weight. <see cref="Quantizer"/> has the library's and makes one of any function; implement it for a method
/// of one's own.</summary>
public interface IQuantizer
{
    /// <summary>How it is called in reports.</summary>
    string Name { get; }

    /// <summary>Whether it asks for the statistics of the layer's inputs.</summary>
    bool NeedsStatistics { get; }

    /// <summary>Quantises a weight.</summary>
    /// <param name="weight">[out,in].</param>
    /// <param name="statistics">Of the layer's inputs; null where there was no calibration.</param>
    /// <returns>A record of the same shape and type, which belongs to the caller.</returns>
    QuantizedTensor Quantize(Tensor weight, LayerStatistics? statistics);
}
