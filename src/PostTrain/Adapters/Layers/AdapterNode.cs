using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>A name on the way to the adapters' parameters in the model's tree.</summary>
internal sealed class AdapterNode() : nn.Module(nameof(AdapterNode))
{
    /// <summary>Takes a piece in under its layer's dotted name.</summary>
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

    /// <summary>Nothing: children come one by one.</summary>
    protected override void RegisterComponents() { }
}
