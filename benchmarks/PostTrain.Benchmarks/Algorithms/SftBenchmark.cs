namespace PostTrain.Benchmarks.Algorithms;

/// <summary>The loss of supervised fine-tuning and its gradient, NxV.</summary>
public class SftBenchmark() : WorkloadBenchmark("K.cross_entropy");
