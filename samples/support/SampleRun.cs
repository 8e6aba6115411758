using System.Diagnostics;
using System.Globalization;
using PostTrain.Runtime;
using PostTrain.Training;
using PostTrain.Training.Reports;
using static TorchSharp.torch;

namespace PostTrain.Samples.Support;

/// <summary>A run of a sample: what the user asked for, the live display, and the three files that it leaves in its folder.</summary>
public sealed class SampleRun : IDisposable
{
    private const int TokensAtOnce = 4096;
    private readonly int? microBatch;
    private readonly Stopwatch watch = Stopwatch.StartNew();

    // Opened with the first record, so that a wrong option leaves the last run's files as they are.
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

    /// <summary>The user's model directory; null for the toy.</summary>
    public string? Model { get; }

    /// <summary>The user's data file; null for the toy's.</summary>
    public string? Data { get; }

    /// <summary>Where the results go.</summary>
    public string Output { get; }

    /// <summary>Training steps.</summary>
    public int Steps { get; }

    /// <summary>Held-out examples, at most.</summary>
    public int HeldOut { get; }

    /// <summary>The type that the user's model is loaded in; null for the one that it is stored in. bfloat16 trains in mixed
    /// precision.</summary>
    public ScalarType? Type { get; init; }

    /// <summary>Whether training and scoring leave the padding of batches out.</summary>
    public bool PaddingFree { get; init; }

    /// <summary>Where all randomness comes from.</summary>
    public ulong Seed { get; }

    /// <summary>The user has pressed Ctrl+C.</summary>
    public CancellationToken Cancellation { get; }

    /// <summary>A file or folder of the results.</summary>
    public string PathOf(string name) => Path.Combine(Output, name);

    /// <summary>Some completions of some steps, for a rollout trainer to tell of and for the report to show.</summary>
    public IProgress<CompletionReport> Completions => completions.Value;

    /// <summary>Rows that go through the model at once: as the user says, else some thousand tokens. Larger parts are slower where their
    /// activations leave the processor's caches; the gradient does not depend on it.</summary>
    /// <param name="longest">Tokens of the longest row.</param>
    public int MicroBatch(int longest) => microBatch ?? Math.Max(1, TokensAtOnce / Math.Max(1, longest));

    /// <summary>Runs a training: shows each step and writes it to <c>metrics.jsonl</c>.</summary>
    /// <param name="title">What is trained.</param>
    /// <param name="steps">How many steps it has.</param>
    /// <param name="training">The trainer's run.</param>
    /// <param name="part">Where a sample trains several times: stands before the metrics' names in the file, as in
    /// <c>lora/loss</c>.</param>
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

    /// <summary>A page with the sample's title and the facts of this run.</summary>
    public HtmlReport Page(string title, string story) => new HtmlReport(title, story).Facts(EngineFacts.Describe(), $"seed {Seed}");

    /// <summary>What the policy answered over the run.</summary>
    public IReadOnlyList<LoggedCompletion> LoggedCompletions =>
        completions.IsValueCreated ? CompletionLog.Read(PathOf("completions.jsonl")) : [];

    /// <summary>Writes <c>report.html</c> and <c>summary.json</c> and says where they are.</summary>
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
