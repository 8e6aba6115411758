using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>A module whose layers can be replaced by others of the same inputs and outputs: quantised, masked, of low rank.</summary>
/// <remarks>The parts of a <see cref="Decoder"/> are such modules. A module of your own implements this to be compressed: its fields are
/// its own, so that it alone can call another layer than the one that it was built with.</remarks>
public interface ILayerOwner
{
    /// <summary>Puts a layer in the place of a child.</summary>
    /// <param name="name">The child's name among the module's own children, without dots.</param>
    /// <param name="layer">The layer to call from now on. It belongs to the module; the previous one belongs to the caller again.</param>
    /// <exception cref="ArgumentException">There is no such child, or it cannot be replaced.</exception>
    void ReplaceLayer(string name, nn.Module<Tensor, Tensor> layer);
}
