using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>ΔW by a user's function of the layer and its own parameters.</summary>
internal sealed class OwnLinear : DeltaAdapter
{
    private readonly OwnAdapterOptions options;
    private readonly (string Name, Parameter Value)[] own;

    public OwnLinear(Leaf leaf, OwnAdapterOptions options, ulong seed)
        : base("own", leaf, rankDropout: 0, moduleDropout: 0, scaleDropout: false)
    {
        this.options = options;
        using var scope = NewDisposeScope();
        var start = options.Start(Layer(), seed);
        if (start is not { Count: > 0 })
            throw new InvalidOperationException($"the adapter '{options.Name}' has no parameter for '{leaf.Name}', expected at least one");
        foreach (var (name, value) in start)
            if (string.IsNullOrEmpty(name) || name.Contains('.') || value is null)
                throw new InvalidOperationException(
                    $"the adapter '{options.Name}' has a parameter '{name}' for '{leaf.Name}', expected a name without dots and a tensor"
                );
        own = [.. start.Select(item => (item.Name, Trained(leaf, item.Start)))];
        foreach (var (name, value) in own)
            register_parameter(name, value);
    }

    public override IEnumerable<StoredTensor> Stored() => own.Select(item => new StoredTensor(item.Name, Current(item.Name)));

    protected override Tensor Delta()
    {
        var delta = options.Delta(Layer(), [.. own.Select(item => (Tensor)Current(item.Name))]);
        return Cast(
            Guard.Result(delta, $"the adapter '{options.Name}'", [Leaf.Outputs, Leaf.Inputs], $"the weight of '{Leaf.Name}'"),
            TypeFor(Leaf)
        );
    }

    // Read anew each time: moving a module to another device replaces its parameters.
    private Parameter Current(string name) => get_parameter(name)!;

    private AdapterLayer Layer() => new(Leaf.Name, Cast(Leaf.Weight.detach(), TypeFor(Leaf)));
}
