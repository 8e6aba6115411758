using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using PostTrain.Benchmarks.Runner;

namespace PostTrain.Benchmarks.Algorithms;

/// <summary>Resident memory of one more call above the level before it: native tensors, which BenchmarkDotNet's own diagnoser does not
/// see.</summary>
internal sealed class MemoryColumn : IColumn
{
    public string Id => nameof(MemoryColumn);

    public string ColumnName => "Extra memory";

    public string Legend => "Resident high-water mark of one call above the level before it (native tensors), in MiB";

    public UnitType UnitType => UnitType.Dimensionless;

    public ColumnCategory Category => ColumnCategory.Custom;

    public int PriorityInCategory => 0;

    public bool AlwaysShow => true;

    public bool IsNumeric => true;

    public bool IsAvailable(Summary summary) => summary.BenchmarksCases.Any(Measurable);

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
    {
        if (!Measurable(benchmarkCase))
            return "-";
        var benchmark = (WorkloadBenchmark)Activator.CreateInstance(benchmarkCase.Descriptor.Type)!;
        benchmark.Size = (string)benchmarkCase.Parameters[nameof(WorkloadBenchmark.Size)];
        benchmark.Setup();
        benchmark.Call();
        long? bytes = ResidentMemory.ExtraOf(benchmark.Call);
        benchmark.Cleanup();
        return bytes is { } known ? (known / 1048576.0).ToString("F2", CultureInfo.InvariantCulture) : "?";
    }

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

    private static bool Measurable(BenchmarkCase benchmarkCase) => benchmarkCase.Descriptor.Type.IsSubclassOf(typeof(WorkloadBenchmark));
}
