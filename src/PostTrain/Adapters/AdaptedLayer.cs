using PostTrain.Adapters.Layers;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Adapters;

/// <summary>A layer of a model with an adapter's parameters for it.</summary>
public sealed class AdaptedLayer
{
    private readonly ModuleAdapter piece;

    internal AdaptedLayer(ModuleAdapter piece) => this.piece = piece;

    /// <summary>Name of the layer in the model's tree.</summary>
    public string Name => piece.Leaf.Name;

    /// <summary>The adapter's parameters for this layer, by their names in it.</summary>
    public IReadOnlyList<(string Name, Parameter Parameter)> Parameters => [.. piece.named_parameters()];

    /// <summary>The adapter's parameter of this name.</summary>
    /// <exception cref="ArgumentException">There is none of this name.</exception>
    public Tensor this[string name] =>
        piece.get_parameter(name)
        ?? throw new ArgumentException(
            $"the adapter of '{Name}' has no parameter '{name}', only {string.Join(", ", Parameters.Select(item => item.Name))}",
            nameof(name)
        );
}
