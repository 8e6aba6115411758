using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>State of a trainer in a checkpoint besides model, optimiser and position: coefficients that adapt, buffers of
/// rollouts.</summary>
public interface ITrainerState
{
    /// <summary>Numbers by name; kept in <c>state.json</c>.</summary>
    IReadOnlyDictionary<string, double> Values { get; }

    /// <summary>Tensors by name, as views that belong to the current scope; kept in <c>trainer.safetensors</c>.</summary>
    IReadOnlyList<(string Name, Tensor Tensor)> Tensors { get; }

    /// <summary>Takes over what a checkpoint holds. Changes nothing when it throws.</summary>
    /// <exception cref="InvalidDataException">A number or a tensor is missing or does not fit; the message names it.</exception>
    void Restore(IReadOnlyDictionary<string, double> values, IReadOnlyDictionary<string, Tensor> tensors);
}
