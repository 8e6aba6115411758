using PostTrain.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>Order in which an asynchronous run trained on its groups.</summary>
public static class ArrivalOrder
{
    /// <summary>Reads the order from a checkpoint, for <see cref="AsynchronousOptions.Arrivals"/>.</summary>
    /// <param name="checkpoint">Directory of a checkpoint.</param>
    /// <returns>Numbers of the groups from the first step on: places of their prompts in the run's shuffled order.</returns>
    /// <exception cref="InvalidDataException">The checkpoint is not of an asynchronous run.</exception>
    public static IReadOnlyList<long> Read(string checkpoint)
    {
        ArgumentException.ThrowIfNullOrEmpty(checkpoint);
        using var scope = NewDisposeScope();
        return RolloutBacklog.ReadNumbers(Checkpoint.OwnTensors(checkpoint), RolloutBacklog.ArrivalsName);
    }
}
