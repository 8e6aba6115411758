using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>A part of every update besides the trainer's loss: a penalty, an action after the optimiser's step, or both.</summary>
/// <remarks>A trainer takes the terms of the modules that it trains (<see cref="IUpdateTermSource"/>) and those of its options. The
/// order is: the loss of all parts with its gradient, the penalties with theirs, clipping, the optimiser's step, the actions. What a
/// term has to remember is its <see cref="State"/>, or buffers of the model; checkpoints hold both.</remarks>
public interface IUpdateTerm
{
    /// <summary>Name for metrics and messages; the penalty is reported as <c>penalty/NAME</c>.</summary>
    string Name { get; }

    /// <summary>State that checkpoints hold, as float or integer tensors of fixed shapes that resuming overwrites in place.</summary>
    IReadOnlyList<(string Name, Tensor Tensor)> State => [];

    /// <summary>Called when an optimiser is made over the model, before the first update.</summary>
    /// <param name="updates">Updates of the whole run.</param>
    /// <exception cref="ArgumentException">The term does not fit a run of this length.</exception>
    void Begin(long updates) { }

    /// <summary>Computes what is added to the loss, once in an update whatever its number of parts.</summary>
    /// <returns>A scalar with a gradient, within the caller's dispose scope; null for none.</returns>
    Tensor? Penalty() => null;

    /// <summary>Called after the optimiser's step. The parameters are the new ones; their gradients are those that the step used,
    /// clipped. Parameters of 16 bits have none: their 32-bit copies are stepped.</summary>
    void AfterUpdate(UpdateMoment moment) { }
}
