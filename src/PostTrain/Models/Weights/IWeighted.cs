using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>A layer that can be computed with values other than its own parameters, as adapters do with trained replacements.</summary>
internal interface IWeighted
{
    /// <summary>The weight; other values must have its shape.</summary>
    Parameter Weight { get; }

    /// <summary>The bias, or null.</summary>
    Parameter? Bias { get; }

    /// <summary>Computes the layer's output with these values.</summary>
    Tensor Apply(Tensor input, Tensor weight, Tensor? bias);
}
