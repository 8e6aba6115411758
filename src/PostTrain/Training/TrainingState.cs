namespace PostTrain.Training;

/// <summary>Where a run stands, besides its tensors.</summary>
/// <param name="Format">Version of the checkpoint's layout.</param>
/// <param name="Step">Steps done.</param>
/// <param name="Updates">Optimiser steps done.</param>
/// <param name="DataPosition">Examples read.</param>
/// <param name="Seed">The run's seed; a run with another one cannot go on from here.</param>
/// <param name="ElapsedSeconds">Time spent so far.</param>
public sealed record TrainingState(int Format, long Step, long Updates, long DataPosition, ulong Seed, double ElapsedSeconds)
{
    /// <summary>The layout that this version writes.</summary>
    public const int CurrentFormat = 2;

    /// <summary>The best evaluation so far; null where there was none.</summary>
    public BestEvaluation? Best { get; init; }

    /// <summary>Digest of the parameters that are not trained, which the checkpoint does not hold; empty where all are.</summary>
    public string Frozen { get; init; } = "";

    /// <summary>A trainer's own numbers by name, such as an adaptive coefficient.</summary>
    public IReadOnlyDictionary<string, double> Values { get; init; } = new Dictionary<string, double>();
}
