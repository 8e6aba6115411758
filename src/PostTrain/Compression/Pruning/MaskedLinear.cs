using PostTrain.Models;
using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace PostTrain.Compression.Pruning;

/// <summary>A linear layer whose removed entries stay removed: y = x (W ⊙ M)ᵀ + b. Their gradients are 0.</summary>
public sealed class MaskedLinear : nn.Module<Tensor, Tensor>, IWeightedLinear
{
    [ComponentName(Name = "weight")]
    private readonly Parameter weight;

    [ComponentName(Name = "bias")]
    private readonly Parameter? bias;

    [ComponentName(Name = "mask")]
    private readonly Tensor mask;

    /// <summary>A layer over parameters that are there.</summary>
    /// <param name="weight">[out,in]; it belongs to the layer from here on.</param>
    /// <param name="bias">[out], or null; likewise.</param>
    /// <param name="kept">Bool, [out,in]: whether an entry stays; copied.</param>
    public MaskedLinear(Parameter weight, Parameter? bias, Tensor kept)
        : base(nameof(MaskedLinear))
    {
        Guard.Rank(weight, nameof(weight), 2, "[out, in]");
        Guard.SameShape(kept, nameof(kept), weight, nameof(weight));
        (this.weight, this.bias) = (weight, bias);
        using var scope = NewDisposeScope();
        mask = kept.detach().to_type(ScalarType.Bool).clone().DetachFromDisposeScope();
        RegisterComponents();
    }

    /// <summary>The weight; removed entries do not count, whatever they are.</summary>
    public Parameter Weight => weight;

    /// <summary>What is added at the end, or null.</summary>
    public Parameter? Bias => bias;

    /// <summary>Whether an entry stays, [out,in].</summary>
    public Tensor Kept => mask;

    /// <summary>[..., in] to [..., out].</summary>
    public override Tensor forward(Tensor input) => ((IWeighted)this).Apply(input, weight, bias);

    /// <summary>Sets removed entries of the weight to 0, where an optimiser that mixes entries has changed them.</summary>
    public void ApplyToWeight()
    {
        using var mode = no_grad();
        weight.mul_(mask);
    }

    Tensor IWeighted.Apply(Tensor input, Tensor weight, Tensor? bias)
    {
        ArgumentNullException.ThrowIfNull(input);
        using var scope = NewDisposeScope();
        return nn.functional.linear(input, weight * mask, bias).MoveToOuterDisposeScope();
    }
}
