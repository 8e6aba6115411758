using BenchmarkDotNet.Attributes;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Engine;

/// <summary>A 2×2 sum: nothing but the cost of a call.</summary>
[BenchmarkCategory("engine")]
public class AddBenchmark
{
    private const int Repeats = 10_000;
    private readonly Tensor a = ones(2, 2), b = ones(2, 2);

    [Benchmark(Baseline = true, OperationsPerInvoke = Repeats)]
    public void Bare() => BareOperators.bare_add(Repeats);

    [Benchmark(OperationsPerInvoke = Repeats)]
    public void WithDispose()
    {
        for (int i = 0; i < Repeats; i++)
            using (a + b) { }
    }

    [Benchmark(OperationsPerInvoke = Repeats)]
    public void InScope()
    {
        using var scope = NewDisposeScope();
        for (int i = 0; i < Repeats; i++) _ = a + b;
    }

    [Benchmark(OperationsPerInvoke = Repeats)]
    public void InPlace()
    {
        for (int i = 0; i < Repeats; i++) a.add_(b);
    }
}
