using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using PostTrain.Benchmarks.Algorithms;
using PostTrain.Benchmarks.Runner;

if (args.Contains("--json"))
    return WorkloadRunner.Run(args);

// In this process: the native libraries are then the ones that the tests use, and nothing is built again.
var config = DefaultConfig
    .Instance.AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance))
    .HideColumns(Column.Error, Column.RatioSD)
    .AddColumn(new MemoryColumn())
    .WithArtifactsPath(Path.Combine("artifacts", "benchmarks"));
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args.Length > 0 ? args : ["--filter", "*"], config);
return 0;
