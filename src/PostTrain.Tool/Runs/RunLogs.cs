using PostTrain.Training;
using PostTrain.Training.TensorBoard;

namespace PostTrain.Tool;

/// <summary>The logs of a run, opened with the first report: <c>metrics.jsonl</c>, <c>completions.jsonl</c>, TensorBoard's
/// events.</summary>
/// <param name="folder">Directory of the run.</param>
/// <param name="resumedAt">Step from which the run goes on; null for a new run.</param>
internal sealed class RunLogs(OutputFolder folder, Func<long?> resumedAt) : IProgress<StepReport>, IProgress<CompletionReport>, IDisposable
{
    private MetricsLog? metrics;
    private TensorBoardLog? events;
    private CompletionLog? completions;

    internal string MetricsPath => folder.PathOf("metrics.jsonl");

    /// <summary>Steps between the completions that are kept.</summary>
    internal int CompletionsEvery { get; set; } = 10;

    /// <summary>Completions of some steps; empty where a trainer reports none.</summary>
    internal IReadOnlyList<LoggedCompletion> Completions() => File.Exists(CompletionsPath) ? CompletionLog.Read(CompletionsPath) : [];

    private string CompletionsPath => folder.PathOf("completions.jsonl");

    public void Report(StepReport value)
    {
        metrics ??= MetricsLog.Open(MetricsPath, resumedAt());
        // An earlier file stays; its steps do not count any more.
        events ??= TensorBoardLog.Open(folder.PathOf("tensorboard"), resumedAt() ?? (folder.IsResumed ? 0 : null));
        metrics.Report(value);
        events.Report(value);
    }

    public void Report(CompletionReport value)
    {
        completions ??= CompletionLog.Open(CompletionsPath, resumedAt(), CompletionsEvery);
        completions.Report(value);
    }

    public void Dispose()
    {
        metrics?.Dispose();
        events?.Dispose();
        completions?.Dispose();
    }
}
