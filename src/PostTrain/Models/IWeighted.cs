using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>A layer that can be computed with other values than its own parameters', as adapters do with what they train in their
/// place.</summary>
internal interface IWeighted
{
    /// <summary>The weight, whose shape other values must have.</summary>
    Parameter Weight { get; }

    /// <summary>What is added at the end, or null.</summary>
    Parameter? Bias { get; }

    /// <summary>The layer's result with these values.</summary>
    Tensor Apply(Tensor input, Tensor weight, Tensor? bias);
}
