namespace PostTrain.Benchmarks.Algorithms;

/// <summary>DPO's loss of B pairs and its gradients.</summary>
public class DpoBenchmark() : WorkloadBenchmark("K.dpo.sigmoid");
