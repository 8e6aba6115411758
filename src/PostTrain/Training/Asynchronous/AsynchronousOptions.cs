using PostTrain.Numerics;

namespace PostTrain.Training;

/// <summary>Options of asynchronous rollouts: groups are drawn ahead of the step that trains on them, by the weights of the
/// moment.</summary>
/// <remarks>
/// A step takes the first <see cref="TrainingOptions.BatchSize"/> groups that have arrived, in the order of their arrival, but first those
/// that would become too old. Given this order, a run is deterministic: it is kept in checkpoints (<see cref="ArrivalOrder"/>) and can be
/// prescribed (<see cref="Arrivals"/>). Groups that are finished and not trained on are kept in checkpoints, and beside them in
/// <c>rollouts.log</c> of <see cref="TrainingOptions.CheckpointDirectory"/> as soon as each is finished: a killed run that resumes draws
/// none of them again.
/// <para>Old log-probs are the sampler's, so that ρ of the surrogate is π/π_sampler; with a correction (<c>Correction</c> of GRPO and PPO)
/// they are the policy's at the start of the step, and the correction's weights account for the rest.</para>
/// </remarks>
public sealed record AsynchronousOptions
{
    /// <summary>k: the most steps between the drawing of a group and the step that trains on it, at least 0; (k + 1)·BatchSize groups are
    /// under way. A step waits for a group that would become older.</summary>
    /// <value>The default is 1.</value>
    public int MaxLag { get; init; } = 1;

    /// <summary>Numbers of the groups in the order in which the steps take them, BatchSize for each step, from the run's first step on: the
    /// steps wait for these. From <see cref="ArrivalOrder.Read"/>; steps behind its end take what arrives.</summary>
    /// <value>The default is null: the order of arrival.</value>
    public IReadOnlyList<long>? Arrivals { get; init; }

    internal void Validate()
    {
        Guard.AtLeast(MaxLag, 0, $"Asynchronous.{nameof(MaxLag)}");
        if (Arrivals is not { } order)
            return;
        if (order.Any(number => number < 0))
            throw new ArgumentOutOfRangeException(nameof(Arrivals), order.Min(), "Asynchronous.Arrivals holds numbers of at least 0");
        if (order.Distinct().Count() < order.Count)
            throw new ArgumentException("Asynchronous.Arrivals names a group twice, expected each once", nameof(Arrivals));
    }
}
