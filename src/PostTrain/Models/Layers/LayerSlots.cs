using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>The replacement of layers in the decoder's modules.</summary>
internal static class LayerSlots
{
    /// <summary>The layer, registered in the place of the one before; TorchSharp refuses a second child of a name.</summary>
    public static nn.Module<Tensor, Tensor> Register(nn.Module owner, string name, nn.Module<Tensor, Tensor> layer)
    {
        ArgumentNullException.ThrowIfNull(layer);
        owner.register_module(name, null!);
        owner.register_module(name, layer);
        layer.train(owner.training);
        return layer;
    }

    public static ArgumentException Unknown(nn.Module owner, string name) =>
        new(
            $"{owner.GetName()} has no layer '{name}' that can be replaced, only "
                + $"[{string.Join(", ", owner.named_children().Select(child => child.name))}]",
            nameof(name)
        );
}
