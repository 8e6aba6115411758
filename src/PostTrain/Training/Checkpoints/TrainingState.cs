namespace PostTrain.Training;

/// <summary>The state of a run apart from its tensors.</summary>
/// <param name="Format">Version of the checkpoint's layout.</param>
/// <param name="Step">Completed steps.</param>
/// <param name="Updates">Completed optimiser steps.</param>
/// <param name="DataPosition">Number of examples read.</param>
/// <param name="Seed">The run's seed; a run with another seed cannot resume from here.</param>
/// <param name="ElapsedSeconds">Time spent so far.</param>
public sealed record TrainingState(int Format, long Step, long Updates, long DataPosition, ulong Seed, double ElapsedSeconds)
{
    /// <summary>The layout that this version writes.</summary>
    public const int CurrentFormat = 2;

    /// <summary>The best evaluation so far; null if there was none.</summary>
    public BestEvaluation? Best { get; init; }

    /// <summary>Digest of the frozen parameters, which the checkpoint does not contain; empty if there are none.</summary>
    public string Frozen { get; init; } = "";

    /// <summary>The trainer's own values by name, such as an adaptive coefficient.</summary>
    public IReadOnlyDictionary<string, double> Values { get; init; } = new Dictionary<string, double>();
}
