namespace PostTrain.Benchmarks.Algorithms;

/// <summary>Generalised advantage estimation, BxT.</summary>
public class GaeBenchmark() : WorkloadBenchmark("K.gae");
