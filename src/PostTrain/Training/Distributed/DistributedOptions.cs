using PostTrain.Numerics;

namespace PostTrain.Training.Distributed;

/// <summary>Options of a training as several processes, its ranks: each works on a part of every batch.</summary>
/// <remarks>With the defaults a program is one rank of several where Open MPI's <c>mpirun</c> started it as such, and a run of one process
/// otherwise.</remarks>
public sealed record DistributedOptions
{
    /// <summary>Joins the ranks.</summary>
    /// <value>The default is null: those of <c>mpirun</c>, or none.</value>
    public ICollectives? Collectives { get; init; }

    /// <summary>True to add gradients up in the order of a batch's parts, whatever rank computed them: the bits of a run then do not depend
    /// on the number of ranks, given a <see cref="TrainingOptions.MicroBatchSize"/> and equal threads a process. Costs one exchange of all
    /// gradients for every part of a rank, and rank 0 draws all completions.</summary>
    /// <value>The default is false: one sum per update, in the order of the collectives.</value>
    public bool FixedOrder { get; init; }

    /// <summary>Memory that is shared out among the ranks.</summary>
    /// <value>The default is <see cref="StateSharding.None"/>.</value>
    public StateSharding Sharding { get; init; }

    /// <summary>True if each rank judges the completions that it drew; false if rank 0 judges all of them. Choose true for a slow reward
    /// that judges each group of completions by itself and keeps no state.</summary>
    /// <value>The default is false.</value>
    public bool SplitRewards { get; init; }

    /// <summary>Longest wait for a rank, after which the run ends with an error that names it.</summary>
    /// <value>The default is 10 minutes.</value>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(10);

    internal void Validate()
    {
        if (!Enum.IsDefined(Sharding))
            throw new ArgumentOutOfRangeException(nameof(Sharding), Sharding, "Sharding must be None, Optimizer or Gradients");
        if (FixedOrder && Sharding == StateSharding.Gradients)
            throw new ArgumentException(
                "FixedOrder is true and Sharding is Gradients; expected Sharding None or Optimizer: the fixed order holds all sums",
                nameof(Sharding)
            );
        if (!(Timeout > TimeSpan.Zero))
            throw new ArgumentOutOfRangeException(nameof(Timeout), Timeout, "Timeout must be above 0");
        if (Collectives is { } given)
        {
            Guard.AtLeast(given.Size, 1, $"{nameof(Collectives)}.{nameof(given.Size)}");
            if (given.Rank < 0 || given.Rank >= given.Size)
                throw new ArgumentOutOfRangeException(
                    nameof(Collectives),
                    given.Rank,
                    $"{nameof(Collectives)}.{nameof(given.Rank)} must be from 0 to {given.Size - 1}"
                );
        }
    }
}
