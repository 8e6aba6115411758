using System.Diagnostics;
using System.Globalization;
using PostTrain.Runtime;
using PostTrain.Training;
using PostTrain.Training.Reports;
using static TorchSharp.torch;

namespace PostTrain.Samples.Support;

/// <summary>A run of a sample: the user's options, the live display, and the three output files.</summary>
public sealed class SampleRun : IDisposable
{
    private const int TokensAtOnce = 4096;
    private readonly int? microBatch;
    private readonly Stopwatch watch = Stopwatch.StartNew();

    // Opened with the first record, so that a wrong option does not change the last run's files.
    private readonly Lazy<MetricsLog> metrics;
    private readonly Lazy<CompletionLog> completions;

    internal SampleRun(
        string? model,
        string? data,
        string output,
        int steps,
        int heldOut,
        int? microBatch,
        ulong seed,
        CancellationToken cancellation
    )
    {
        if (steps < 1)
            throw new ArgumentException($"--steps is {steps}, expected at least 1");
        if (heldOut < 2)
            throw new ArgumentException($"--held-out is {heldOut}, expected at least 2");
        if (microBatch < 1)
            throw new ArgumentException($"--micro-batch-size is {microBatch}, expected at least 1");
        (Model, Data, Output, Steps, HeldOut, Seed, Cancellation, this.microBatch) = (
            model,
            data,
            output,
            steps,
            heldOut,
            seed,
            cancellation,
            microBatch
        );
        Directory.CreateDirectory(output);
        metrics = new(() => MetricsLog.Open(PathOf("metrics.jsonl")));
        completions = new(() => CompletionLog.Open(PathOf("completions.jsonl"), every: Math.Max(1, steps / 10)));
    }

    /// <summary>The user's model directory; null for the samples' own model.</summary>
    public string? Model { get; }

    /// <summary>The user's data file; null for generated data.</summary>
    public string? Data { get; }

    /// <summary>Directory of the results.</summary>
    public string Output { get; }

    /// <summary>Number of training steps.</summary>
    public int Steps { get; }

    /// <summary>Maximum number of held-out examples.</summary>
    public int HeldOut { get; }

    /// <summary>The type in which the user's model is loaded; null for the stored type. bfloat16 trains in mixed precision.</summary>
    public ScalarType? Type { get; init; }

    /// <summary>True if training and scoring skip the padding of batches.</summary>
    public bool PaddingFree { get; init; }

    /// <summary>Seed of all randomness.</summary>
    public ulong Seed { get; }

    /// <summary>Cancelled when the user presses Ctrl+C.</summary>
    public CancellationToken Cancellation { get; }

    /// <summary>Returns the path of a file or folder of the results.</summary>
    public string PathOf(string name) => Path.Combine(Output, name);

    /// <summary>Some completions of some steps, reported by a rollout trainer and shown in the report.</summary>
    public IProgress<CompletionReport> Completions => completions.Value;

    /// <summary>Returns the number of rows that go through the model at once: the user's choice, otherwise some thousand tokens. Larger
    /// parts are slower once their activations exceed the processor's caches; the gradient does not depend on it.</summary>
    /// <param name="longest">Tokens of the longest row.</param>
    public int MicroBatch(int longest) => microBatch ?? Math.Max(1, TokensAtOnce / Math.Max(1, longest));

    /// <summary>Runs a training, shows each step and writes it to <c>metrics.jsonl</c>.</summary>
    /// <param name="title">Title of the training.</param>
    /// <param name="steps">Number of steps.</param>
    /// <param name="training">The trainer's run.</param>
    /// <param name="part">Prefix of the metrics' names in the file, for a sample that trains several times, as in <c>lora/loss</c>.</param>
    public IReadOnlyList<StepReport> Train(string title, int steps, IEnumerable<StepReport> training, string? part = null)
    {
        var reports = new List<StepReport>();
        using var display = new TrainingDisplay(title, steps, PlainEvery(steps));
        foreach (var report in training)
            Show(report, reports, display, part);
        return reports;
    }

    /// <inheritdoc cref="Train"/>
    public async Task<IReadOnlyList<StepReport>> TrainAsync(
        string title,
        int steps,
        IAsyncEnumerable<StepReport> training,
        string? part = null
    )
    {
        var reports = new List<StepReport>();
        using var display = new TrainingDisplay(title, steps, PlainEvery(steps));
        await foreach (var report in training.ConfigureAwait(false))
            Show(report, reports, display, part);
        return reports;
    }

    /// <summary>Writes a record to <c>metrics.jsonl</c>.</summary>
    public void Log(StepReport report) => metrics.Value.Report(report);

    /// <summary>Creates a report with the sample's title and the facts of this run.</summary>
    public HtmlReport Page(string title, string story) => new HtmlReport(title, story).Facts(EngineFacts.Describe(), $"seed {Seed}");

    /// <summary>The policy's completions over the run.</summary>
    public IReadOnlyList<LoggedCompletion> LoggedCompletions =>
        completions.IsValueCreated ? CompletionLog.Read(PathOf("completions.jsonl")) : [];

    /// <summary>Writes <c>report.html</c> and <c>summary.json</c> and prints their paths.</summary>
    public void Finish(HtmlReport page, IEnumerable<KeyValuePair<string, object>> summary)
    {
        page.Save(PathOf("report.html"));
        var values = new Dictionary<string, object>(summary)
        {
            ["steps"] = Steps,
            ["seed"] = Seed,
            ["seconds"] = Math.Round(watch.Elapsed.TotalSeconds, 1),
            ["engine"] = EngineFacts.Describe(),
        };
        SummaryFile.Write(PathOf("summary.json"), values);
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{watch.Elapsed.TotalSeconds:F0} s; written: {PathOf("report.html")}, summary.json, metrics.jsonl"
            )
        );
    }

    /// <summary>Closes the logs.</summary>
    public void Dispose()
    {
        if (metrics.IsValueCreated)
            metrics.Value.Dispose();
        if (completions.IsValueCreated)
            completions.Value.Dispose();
    }

    private static int PlainEvery(int steps) => Math.Max(1, steps / 10);

    private void Show(StepReport report, List<StepReport> reports, TrainingDisplay display, string? part)
    {
        reports.Add(report);
        display.Report(report);
        metrics.Value.Report(
            part is null
                ? report
                : report with
                {
                    Metrics = report
                        .Metrics.Append(new("loss", report.Loss))
                        .ToDictionary(item => $"{part}/{item.Key}", item => item.Value),
                }
        );
    }
}
