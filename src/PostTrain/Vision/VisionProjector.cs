using PostTrain.Models;
using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Vision;

/// <summary>Two layers from the features of a picture to embeddings of a language model: linear_2(f(linear_1(x))).</summary>
/// <remarks>Liu et al. 2023 (LLaVA-1.5), arXiv:2310.03744, section 3.2.</remarks>
public sealed class VisionProjector : nn.Module<Tensor, Tensor>
{
    private readonly Linear first;
    private readonly Linear second;

    internal VisionProjector(VisionProjectorOptions options, WeightSource source)
        : base(nameof(VisionProjector))
    {
        Options = options;
        using var scope = NewDisposeScope();
        try
        {
            first = source.Linear("linear_1", options.Inputs, options.Outputs, options.Bias);
            second = source.Linear("linear_2", options.Outputs, options.Outputs, options.Bias);
        }
        catch
        {
            source.Release();
            throw;
        }

        register_module("linear_1", first);
        register_module("linear_2", second);
        foreach (var parameter in parameters())
            parameter.DetachFromDisposeScope();
    }

    /// <summary>Sizes and nonlinearity.</summary>
    public VisionProjectorOptions Options { get; }

    /// <summary>Creates a projector with a random start, N(0, 0.02²), biases 0.</summary>
    /// <param name="options">Sizes and nonlinearity.</param>
    /// <param name="seed">The same seed gives the same weights.</param>
    /// <param name="type">Type of the weights.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is not positive.</exception>
    public static VisionProjector Create(VisionProjectorOptions options, ulong seed, ScalarType type = ScalarType.Float32)
    {
        ArgumentNullException.ThrowIfNull(options);
        Guard.AtLeast(options.Inputs, 1, nameof(options.Inputs));
        Guard.AtLeast(options.Outputs, 1, nameof(options.Outputs));
        return new VisionProjector(options, new RandomWeights(seed, 1, type));
    }

    /// <summary>[...,Inputs] to [...,Outputs].</summary>
    public override Tensor forward(Tensor input)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (input.dim() == 0 || input.size(-1) != Options.Inputs)
            throw new ArgumentException(
                $"input has the shape [{string.Join(",", input.shape)}], expected [...,{Options.Inputs}].",
                nameof(input)
            );
        using var scope = NewDisposeScope();
        return second.call(Activations.Apply(Options.Activation, first.call(input))).MoveToOuterDisposeScope();
    }

    /// <summary>Nothing: the names are those of the files.</summary>
    protected override void RegisterComponents() { }
}
