using BenchmarkDotNet.Attributes;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Engine;

/// <summary>Twenty layers of Linear 64 and GELU, forward and backward, and what an optimiser does with their 40 tensors.</summary>
[BenchmarkCategory("engine")]
public class MlpBenchmark
{
    private const int Repeats = 20;
    private readonly Tensor x = randn(64, 64);
    private Linear[] layers = [];
    private Parameter[] parameters = [];
    private AdamW optimizer = null!;

    [GlobalSetup]
    public void Setup()
    {
        layers = [.. Enumerable.Range(0, 20).Select(_ => nn.Linear(64, 64))];
        parameters = [.. layers.SelectMany(layer => layer.parameters())];
        optimizer = optim.AdamW(parameters);
        Step();
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Repeats)]
    public void Bare() => BareOperators.bare_mlp(Repeats);

    [Benchmark(OperationsPerInvoke = Repeats)]
    public void ForwardBackward()
    {
        for (int i = 0; i < Repeats; i++) Step();
    }

    [Benchmark(OperationsPerInvoke = Repeats)]
    public void AdamW()
    {
        for (int i = 0; i < Repeats; i++) optimizer.step();
    }

    [Benchmark(OperationsPerInvoke = Repeats)]
    public void ClipGradNorm()
    {
        for (int i = 0; i < Repeats; i++) nn.utils.clip_grad_norm_(parameters, 1e9);
    }

    private void Step()
    {
        using var scope = NewDisposeScope();
        var h = x;
        foreach (var layer in layers) h = nn.functional.gelu(layer.call(h));
        h.square().mean().backward();
    }
}
