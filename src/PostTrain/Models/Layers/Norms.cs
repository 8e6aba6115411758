using PostTrain.Numerics;
using PostTrain.Operators;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>The normalisation that a configuration names.</summary>
internal static class Norms
{
    public static nn.Module<Tensor, Tensor> Create(DecoderConfig config, WeightSource source, string name) =>
        config.Normalization == Normalization.LayerNorm
            ? new LayerNormalization(source, name, config.HiddenSize, config.NormEpsilon)
            : Rms(config, source, name, config.HiddenSize);

    /// <summary>The RMS norm over <paramref name="width"/> elements, of the kind that the configuration has.</summary>
    public static RmsNorm Rms(DecoderConfig config, WeightSource source, string name, int width) =>
        new(source, name, width, config.NormEpsilon, config.Normalization == Normalization.RmsNormOffset);
}

/// <summary>(x − mean) / √(variance + ε) · w + b over the last dimension.</summary>
internal sealed class LayerNormalization : nn.Module<Tensor, Tensor>, IWeighted
{
    private readonly Parameter weight;
    private readonly Parameter bias;
    private readonly long[] width;
    private readonly double epsilon;

    public LayerNormalization(WeightSource source, string name, int width, double epsilon)
        : base(nameof(LayerNormalization))
    {
        this.width = [width];
        this.epsilon = epsilon;
        weight = source.Parameter(name + ".weight", this.width, WeightRole.NormScale);
        bias = source.Parameter(name + ".bias", this.width, WeightRole.Bias);
        RegisterComponents();
    }

    /// <summary>ε.</summary>
    internal double Epsilon => epsilon;

    Parameter IWeighted.Weight => weight;

    Parameter? IWeighted.Bias => bias;

    public override Tensor forward(Tensor input) => Apply(input, weight, bias);

    public Tensor Apply(Tensor input, Tensor weight, Tensor? bias) => nn.functional.layer_norm(input, width, weight, bias, epsilon);
}

/// <summary>x / √(mean(x²) + ε) · w over the last dimension (Zhang, Sennrich 2019, arXiv:1910.07467); half types are normalised in float32.
/// With an offset the factor is 1 + w.</summary>
internal sealed class RmsNorm : nn.Module<Tensor, Tensor>, IWeighted
{
    private readonly Parameter weight;
    private readonly double epsilon;
    private readonly bool offset;

    public RmsNorm(WeightSource source, string name, int width, double epsilon, bool offset = false)
        : base(nameof(RmsNorm))
    {
        this.epsilon = epsilon;
        this.offset = offset;
        // Either way the factor starts at 1.
        weight = source.Parameter(name + ".weight", [width], offset ? WeightRole.Bias : WeightRole.NormScale);
        RegisterComponents();
    }

    /// <summary>ε.</summary>
    internal double Epsilon => epsilon;

    /// <summary>True if the factor is 1 + w.</summary>
    internal bool HasOffset => offset;

    Parameter IWeighted.Weight => weight;

    Parameter? IWeighted.Bias => null;

    public override Tensor forward(Tensor input) => Apply(input, weight, null);

    public Tensor Apply(Tensor input, Tensor weight, Tensor? bias)
    {
        if (RmsNormOperator.Takes(input, weight))
            return RmsNormOperator.Run(input, weight, epsilon, offset);
        using var scope = NewDisposeScope();
        var type = input.dtype;
        var x = input.AtLeastSingle();
        var normal = x * x.square().mean([-1], keepdim: true).add(epsilon).rsqrt();
        if (offset)
            return normal.mul(weight.to_type(x.dtype).add(1)).to_type(type).MoveToOuterDisposeScope();
        return (x.dtype == type ? normal : normal.to_type(type)).mul(weight).MoveToOuterDisposeScope();
    }
}
