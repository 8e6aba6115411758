using PostTrain.Models;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>A node on the path to the adapters' parameters in the model's tree.</summary>
internal sealed class AdapterNode() : nn.Module(nameof(AdapterNode)), IUpdateTermSource
{
    /// <summary>Term that the adapter of this node adds to each update in training.</summary>
    public IReadOnlyList<IUpdateTerm> Terms { get; set; } = [];

    public IReadOnlyList<IUpdateTerm> UpdateTerms => parameters().Any(parameter => parameter.requires_grad) ? Terms : [];

    /// <summary>Adds a piece under its layer's dotted name.</summary>
    public void Add(ModuleAdapter piece)
    {
        var node = this;
        foreach (var part in piece.Leaf.Name.Split('.'))
            node = node.Child(part);
        node.register_module(piece.GetName(), piece);
    }

    public AdapterNode Child(string name)
    {
        if (named_children().FirstOrDefault(child => child.name == name).module is AdapterNode found)
            return found;
        var node = new AdapterNode();
        register_module(name, node);
        node.train(training);
        return node;
    }

    /// <summary>Does nothing: children are added one by one.</summary>
    protected override void RegisterComponents() { }
}
