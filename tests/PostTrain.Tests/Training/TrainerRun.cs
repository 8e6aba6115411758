using PostTrain.Training;
using PostTrain.Training.Distributed;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training;

/// <summary>How a law of all trainers runs one: six steps between checkpoints.</summary>
/// <param name="Steps">How many steps.</param>
/// <param name="MicroBatch">The size of the parts of a batch; null: the whole.</param>
/// <param name="Directory">Where checkpoints go; null: none.</param>
/// <param name="Resume">The checkpoint to go on from.</param>
internal sealed record TrainerRun(int Steps, int? MicroBatch = null, string? Directory = null, string? Resume = null)
{
    internal const int CheckpointEvery = 6;

    /// <summary>Seed of the weights that training starts from.</summary>
    internal ulong Seed { get; init; } = 1;

    /// <summary>What changes the parameters.</summary>
    internal OptimizerChoice Optimizer { get; init; } = OptimizerChoice.AdamW;

    internal DistributedOptions Distributed { get; init; } = new();

    internal ScalarType Type { get; init; } = ScalarType.Float32;
}
