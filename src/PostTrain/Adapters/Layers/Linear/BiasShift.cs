using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>Replaces the base's bias b by b': the layer's result plus b' − b, which is exactly 0 at the start.</summary>
internal sealed class BiasShift : ModuleAdapter
{
    private readonly bool wrapped;

    [ComponentName(Name = "bias")]
    private readonly Parameter bias;

    /// <param name="leaf">A layer that ends with adding a bias.</param>
    /// <param name="wrapped">True if the same adapter changes the layer's weight, which PEFT shows in the name.</param>
    public BiasShift(Leaf leaf, bool wrapped)
        : base("bias", leaf)
    {
        this.wrapped = wrapped;
        bias = Trained(leaf, leaf.Bias!);
        RegisterComponents();
    }

    public override bool IsTarget => false;

    public override Tensor After(Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        var sum = Add(output, bias - Cast(Leaf.Bias!.detach(), bias.dtype), 1);
        return ReferenceEquals(sum, output) ? sum : sum.MoveToOuterDisposeScope();
    }

    public override (Tensor? Weight, Tensor? Bias) Merged(Tensor weight, Tensor? bias) =>
        (null, bias! + (this.bias.detach() - Cast(Leaf.Bias!.detach(), this.bias.dtype)));

    public override IEnumerable<StoredTensor> Stored()
    {
        yield return new(wrapped ? "base_layer.bias" : "bias", bias);
    }
}
