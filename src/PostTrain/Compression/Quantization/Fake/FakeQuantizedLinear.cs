using PostTrain.Models;
using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>A linear layer that trains full weights and computes with quantised weights and, optionally, quantised inputs.</summary>
internal sealed class FakeQuantizedLinear : nn.Module<Tensor, Tensor>, IWeightedLinear
{
    private readonly IQuantizer quantizer;
    private readonly int? inputBits;

    [ComponentName(Name = "weight")]
    private readonly Parameter weight;

    [ComponentName(Name = "bias")]
    private readonly Parameter? bias;

    /// <summary>A layer over parameters that are there.</summary>
    /// <param name="weight">[out,in]; owned by the layer from now on.</param>
    /// <param name="bias">[out], or null; likewise.</param>
    /// <param name="quantizer">The rounding of the weight; it must need no statistics.</param>
    /// <param name="inputBits">Bits of each token's inputs, 2 to 8; null leaves them.</param>
    public FakeQuantizedLinear(Parameter weight, Parameter? bias, IQuantizer quantizer, int? inputBits = null)
        : base(nameof(FakeQuantizedLinear))
    {
        Guard.Rank(weight, nameof(weight), 2, "[out, in]");
        ArgumentNullException.ThrowIfNull(quantizer);
        if (inputBits is < 2 or > 8)
            throw new ArgumentOutOfRangeException(nameof(inputBits), inputBits, "inputBits must be from 2 to 8");
        if (quantizer.NeedsStatistics)
            throw new ArgumentException($"{quantizer.Name} needs statistics of the inputs, expected one that does not", nameof(quantizer));
        (this.weight, this.bias, this.quantizer, this.inputBits) = (weight, bias, quantizer, inputBits);
        RegisterComponents();
    }

    /// <summary>The full weight.</summary>
    public Parameter Weight => weight;

    /// <summary>The bias, or null.</summary>
    public Parameter? Bias => bias;

    /// <summary>[..., in] to [..., out].</summary>
    public override Tensor forward(Tensor input) => ((IWeighted)this).Apply(input, weight, bias);

    Tensor IWeighted.Apply(Tensor input, Tensor weight, Tensor? bias)
    {
        ArgumentNullException.ThrowIfNull(input);
        using var scope = NewDisposeScope();
        var x = inputBits is { } bits ? FakeQuantization.Tokens(input, bits) : input;
        return nn.functional.linear(x, FakeQuantization.Weight(weight, quantizer), bias).MoveToOuterDisposeScope();
    }
}
