namespace PostTrain.Benchmarks.Algorithms;

/// <summary>GRPO's loss with its KL term and its gradient, BxT.</summary>
public class GrpoBenchmark() : WorkloadBenchmark("K.grpo.grpo");
