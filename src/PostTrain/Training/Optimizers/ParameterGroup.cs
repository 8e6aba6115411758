using TorchSharp.Modules;

namespace PostTrain.Training.Optimizers;

/// <summary>Parameters that share their settings.</summary>
/// <param name="Parameters">At least one.</param>
/// <param name="WeightDecay">0 for vectors.</param>
/// <param name="Factor">Multiple of the learning rate.</param>
/// <param name="Orthogonal">True if Muon updates them, if it is chosen.</param>
public sealed record ParameterGroup(IReadOnlyList<Parameter> Parameters, double WeightDecay, double Factor, bool Orthogonal = false);
