namespace PostTrain.Tests.Training.Distributed;

/// <summary>What a run of a trainer leaves on one rank.</summary>
/// <param name="Reports">The numbers of each step, without those that measure time.</param>
/// <param name="Parameters">All weights.</param>
/// <param name="Gradients">Of each update, after clipping.</param>
internal sealed record RankedResult(Dictionary<string, double>[] Reports, double[] Parameters, double[][] Gradients);
