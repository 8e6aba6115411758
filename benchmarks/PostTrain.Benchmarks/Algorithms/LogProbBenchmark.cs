namespace PostTrain.Benchmarks.Algorithms;

/// <summary>Log-probabilities of given tokens and their gradient, NxV.</summary>
public class LogProbBenchmark() : WorkloadBenchmark("K.logprob");
