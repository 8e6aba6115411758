using TorchSharp.Modules;

namespace PostTrain.Training.Optimizers;

/// <summary>Parameters that share their settings.</summary>
/// <param name="Parameters">At least one.</param>
/// <param name="WeightDecay">0 for vectors.</param>
/// <param name="Factor">What the learning rate is multiplied with.</param>
/// <param name="Orthogonal">Whether Muon changes them, where it is chosen.</param>
public sealed record ParameterGroup(IReadOnlyList<Parameter> Parameters, double WeightDecay, double Factor, bool Orthogonal = false);
