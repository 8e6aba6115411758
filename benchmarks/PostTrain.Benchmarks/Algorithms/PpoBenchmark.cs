namespace PostTrain.Benchmarks.Algorithms;

/// <summary>PPO's policy and value loss and their gradients, BxT.</summary>
public class PpoBenchmark() : WorkloadBenchmark("K.ppo");
