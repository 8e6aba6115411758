using System.Diagnostics;
using System.Globalization;
using PostTrain.Training;
using PostTrain.Training.Diagnostics;
using Spectre.Console;

namespace PostTrain.Tool;

using Text = Spectre.Console.Text;

/// <summary>Shows a running training: a live panel in a terminal, plain lines elsewhere.</summary>
/// <remarks>Plain lines have no control characters, for files, pipes and continuous integration. Dispose the display before writing to the
/// terminal; the panel keeps its last state.</remarks>
/// <example><code>
/// using var display = new TrainingDisplay("GRPO", steps: 300);
/// await foreach (var report in trainer.RunAsync(problems, cancellation: stop))
///     display.Report(report);
/// </code></example>
public sealed class TrainingDisplay : IProgress<StepReport>, IDisposable
{
    private static readonly TimeSpan Frame = TimeSpan.FromMilliseconds(80),
        Tick = TimeSpan.FromMilliseconds(500);

    private readonly Lock gate = new();
    private readonly string title;
    private readonly int plainEvery;
    private readonly TextWriter plain;
    private readonly RunHistory history;
    private readonly TrainingDiagnostics diagnostics = new();
    private int shownWarnings;
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task? liveTask;
    private readonly Timer? clock;
    private long lastReport = Stopwatch.GetTimestamp();
    private LiveDisplayContext? live;
    private long lastFrame;
    private long lastPlainStep;
    private bool disposed;

    /// <summary>Creates the display; it draws with the first report.</summary>
    /// <param name="title">Title of the training, in a few words.</param>
    /// <param name="steps">Number of steps of the whole run.</param>
    /// <param name="plainEvery">Without a terminal, the number of steps per line; default 10. The first and the last step are always
    /// shown.</param>
    /// <param name="console">The terminal; null means the process's own, or plain lines if that is redirected or has no cursor.</param>
    /// <param name="plain">Output of plain lines; null means the standard output. If given, the display is always plain.</param>
    public TrainingDisplay(string title, long steps, int plainEvery = 10, IAnsiConsole? console = null, TextWriter? plain = null)
    {
        ArgumentNullException.ThrowIfNull(title);
        ArgumentOutOfRangeException.ThrowIfNegative(steps);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(plainEvery);
        (this.title, this.plainEvery, this.plain, history) = (title, plainEvery, plain ?? Console.Out, new RunHistory(steps));
        if (plain is null && (console is not null || IsTerminal))
        {
            // Spectre.Console draws inside a callback. This callback only passes its context out and waits, so that reports may come from
            // anywhere.
            liveTask = (console ?? AnsiConsole.Console)
                .Live(new Text(""))
                .AutoClear(false)
                .StartAsync(async context =>
                {
                    live = context;
                    await ended.Task.ConfigureAwait(false);
                });
            // Between two reports the time of the step runs on.
            clock = new Timer(_ => OnTick(), null, Tick, Tick);
        }
        else
        {
            this.plain.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{title}: {steps} steps"));
        }
    }

    /// <summary>True if the standard output is a terminal with a movable cursor.</summary>
    public static bool IsTerminal =>
        !Console.IsOutputRedirected && AnsiConsole.Profile.Capabilities.Ansi && Environment.GetEnvironmentVariable("TERM") != "dumb";

    /// <summary>Shows a step.</summary>
    public void Report(StepReport value)
    {
        ArgumentNullException.ThrowIfNull(value);
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            var isFirst = history.Last is null;
            lastReport = Stopwatch.GetTimestamp();
            history.Add(value);
            diagnostics.Report(value);
            if (live is not null)
                Draw(always: isFirst);
            else if (isFirst || value.Step % plainEvery == 0 || value.Step == history.Steps)
                WriteLine();
            if (live is null)
                WriteWarnings();
        }
    }

    /// <summary>Draws the last state and releases the terminal.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            if (disposed)
                return;
            disposed = true;
            clock?.Dispose();
            if (live is not null)
                Draw(always: true);
            else if (history.Last is { } last && last.Step != lastPlainStep)
                WriteLine();
        }

        ended.SetResult();
        liveTask?.GetAwaiter().GetResult();
    }

    private void OnTick()
    {
        lock (gate)
            if (!disposed && live is not null)
                Draw(always: true);
    }

    private void WriteLine()
    {
        var last = history.Last!;
        lastPlainStep = last.Step;
        var metrics = string.Join("  ", MetricRows.Of(history).Select(row => $"{row.Label.Trim()} {row.Value}"));
        var left = history.Left is { } time ? $"  left {MetricRows.Clock(time)}" : "";
        plain.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"step {last.Step}/{history.Steps}  {metrics}  elapsed {MetricRows.Clock(last.Elapsed)}{left}"
            )
        );
    }

    private void WriteWarnings()
    {
        foreach (var warning in diagnostics.Warnings.Skip(shownWarnings))
        {
            shownWarnings++;
            plain.WriteLine($"  {warning}");
        }
    }

    private void Draw(bool always)
    {
        if (!always && Stopwatch.GetElapsedTime(lastFrame) < Frame)
            return;
        lastFrame = Stopwatch.GetTimestamp();
        live!.UpdateTarget(Panel());
    }

    private Rows Panel()
    {
        var table = new Table().NoBorder().HideHeaders();
        table.AddColumn(new TableColumn("").Width(14).NoWrap().PadLeft(0));
        table.AddColumn(new TableColumn("").RightAligned().Width(8).NoWrap());
        table.AddColumn(new TableColumn("").Width(42).NoWrap().PadLeft(2));
        foreach (var (metric, label, value) in MetricRows.Of(history))
        {
            var isReward = metric.StartsWith("reward/", StringComparison.Ordinal);
            table.AddRow(
                new Text(label, new Style(Color.Grey)),
                new Text(value, new Style(decoration: metric == "reward/mean" ? Decoration.Bold : Decoration.None)),
                new Text(Sparkline.Of(history.Course(metric), 40), new Style(isReward ? Color.Green : Color.Grey))
            );
        }

        return new Rows([
            new Text(""),
            new Text("  " + title, new Style(decoration: Decoration.Bold)),
            Progress(),
            new Text(""),
            new Padder(table, new Padding(2, 0, 0, 0)),
            .. Warnings(),
        ]);
    }

    // The latest warnings; all of them are in the log and the report.
    private IEnumerable<Padder> Warnings() =>
        diagnostics
            .Warnings.TakeLast(3)
            .Select(warning => new Padder(
                new Text(warning.ToString(), new Style(warning.Level == DiagnosticLevel.Note ? Color.Grey : Color.Yellow)),
                new Padding(2, 1, 2, 0)
            ));

    private Paragraph Progress()
    {
        const int width = 36;
        var filled = (int)Math.Round(history.Share * width);
        var elapsed = MetricRows.Clock(history.Last?.Elapsed ?? TimeSpan.Zero);
        var left = history.Left is { } time ? $" · {MetricRows.Clock(time)} left" : "";
        var step = Stopwatch.GetElapsedTime(lastReport);
        var waiting = !disposed && step > TimeSpan.FromSeconds(1) ? $" · this step {MetricRows.Clock(step)}" : "";
        return new Paragraph()
            .Append(string.Create(CultureInfo.InvariantCulture, $"  step {history.Last?.Step ?? 0} of {history.Steps}  "))
            .Append(new string('━', filled), new Style(Color.Green))
            .Append(new string('━', width - filled), new Style(Color.Grey23))
            .Append(
                string.Create(CultureInfo.InvariantCulture, $"  {100 * history.Share:F0} %  {elapsed}{left}{waiting}"),
                new Style(Color.Grey)
            );
    }
}
