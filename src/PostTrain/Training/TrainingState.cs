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
    public const int CurrentFormat = 1;
}
