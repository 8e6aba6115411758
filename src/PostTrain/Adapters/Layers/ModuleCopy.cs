using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>A layer with parameters of its own, which start as copies of the base's.</summary>
internal sealed class ModuleCopy : ModuleAdapter
{
    private readonly string prefix;

    [ComponentName(Name = "weight")]
    private readonly Parameter weight;

    [ComponentName(Name = "bias")]
    private readonly Parameter? bias;

    /// <param name="leaf">The layer.</param>
    /// <param name="prefix">What a file has between the layer's name and the parameter's.</param>
    public ModuleCopy(Leaf leaf, string prefix = "")
        : base("copy", leaf)
    {
        this.prefix = prefix;
        weight = Copy(leaf);
        bias = leaf.Bias is { } given ? Trained(leaf, given) : null;
        RegisterComponents();
    }

    private static Parameter Copy(Leaf leaf)
    {
        using var scope = NewDisposeScope();
        return Trained(leaf, leaf.Values());
    }

    public override bool IsTarget => prefix.Length > 0;

    public override Tensor After(Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        var type = Leaf.Type;
        return Leaf.Apply(input, Cast(weight, type), bias is null ? null : Cast(bias, type)).MoveToOuterDisposeScope();
    }

    public override (Tensor? Weight, Tensor? Bias) Merged(Tensor weight, Tensor? bias) => (this.weight.detach(), this.bias?.detach());

    public override IEnumerable<StoredTensor> Stored()
    {
        yield return new(prefix + "weight", weight, Leaf.TransposedOnDisk);
        if (bias is not null)
            yield return new(prefix + "bias", bias);
    }
}
