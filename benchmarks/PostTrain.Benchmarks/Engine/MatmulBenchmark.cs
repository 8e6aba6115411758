using BenchmarkDotNet.Attributes;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Engine;

/// <summary>A 64×64 matrix product.</summary>
[BenchmarkCategory("engine")]
public class MatmulBenchmark
{
    private const int Repeats = 2_000;
    private readonly Tensor a = ones(64, 64), b = ones(64, 64);

    [Benchmark(Baseline = true, OperationsPerInvoke = Repeats)]
    public void Bare() => BareOperators.bare_matmul(Repeats);

    [Benchmark(OperationsPerInvoke = Repeats)]
    public void WithDispose()
    {
        for (int i = 0; i < Repeats; i++)
            using (a.matmul(b)) { }
    }
}
