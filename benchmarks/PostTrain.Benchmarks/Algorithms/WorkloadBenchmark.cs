using BenchmarkDotNet.Attributes;
using PostTrain.Benchmarks.Workloads;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Algorithms;

/// <summary>A workload of the registry as a benchmark; values and gradients in one call, on one thread.</summary>
/// <param name="id">Of the workload.</param>
/// <param name="sizes">Dimensions of the inputs; those of the registry where none are given.</param>
[BenchmarkCategory("algorithms")]
public abstract class WorkloadBenchmark(string id, params string[] sizes)
{
    private DisposeScope? scope;
    private Action run = () => { };

    /// <summary>Dimensions of the inputs.</summary>
    [ParamsSource(nameof(Sizes))]
    public string Size { get; set; } = "";

    /// <summary>Values of <see cref="Size"/>.</summary>
    public IEnumerable<string> Sizes => sizes.Length > 0 ? sizes : WorkloadRegistry.Of(id).Sizes;

    [GlobalSetup]
    public void Setup()
    {
        set_num_threads(1);
        scope = NewDisposeScope();
        using var inputs = new Inputs();
        run = WorkloadRegistry.Of(id).Setup(Size, inputs).Run;
    }

    [GlobalCleanup]
    public void Cleanup() => scope?.Dispose();

    [Benchmark]
    public void Call() => run();
}
