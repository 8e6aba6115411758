using static TorchSharp.torch;

namespace PostTrain.Adapters;

/// <summary>A linear layer y = x Wᵀ + b as an adapter of one's own sees it.</summary>
/// <param name="Name">Name in the model's tree.</param>
/// <param name="Weight">W, [out,in], without a gradient, of 32 bits at least.</param>
public sealed record AdapterLayer(string Name, Tensor Weight)
{
    /// <summary>Width of the layer's output.</summary>
    public long Outputs => Weight.size(0);

    /// <summary>Width of the layer's input.</summary>
    public long Inputs => Weight.size(1);
}
