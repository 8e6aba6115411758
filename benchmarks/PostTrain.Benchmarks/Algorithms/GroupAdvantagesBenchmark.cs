namespace PostTrain.Benchmarks.Algorithms;

/// <summary>Group-relative advantages, PxG.</summary>
public class GroupAdvantagesBenchmark() : WorkloadBenchmark("K.group_advantages", "8x8", "64x16", "1024x16");
