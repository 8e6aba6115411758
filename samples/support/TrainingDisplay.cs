using System.Globalization;
using PostTrain.Training;
using Spectre.Console;

namespace PostTrain.Samples.Support;

/// <summary>Shows a training run while it goes on: a panel that redraws itself in a terminal, plain lines anywhere else.</summary>
/// <remarks>Plain lines hold no control characters: they are for files, pipes and continuous integration. Dispose it before writing
/// anything else to the terminal; the panel then stays as it was last.</remarks>
/// <example><code>
/// using var display = new TrainingDisplay("GRPO", steps: 300);
/// await foreach (var report in trainer.RunAsync(problems, stop))
///     display.Report(report);
/// </code></example>
public sealed class TrainingDisplay : IProgress<StepReport>, IDisposable
{
    private static readonly TimeSpan Frame = TimeSpan.FromMilliseconds(80);

    private readonly Lock _gate = new();
    private readonly string _title;
    private readonly int _plainEvery;
    private readonly TextWriter _plain;
    private readonly RunHistory _history;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task? _liveTask;
    private LiveDisplayContext? _live;
    private long _lastFrame;
    private long _lastPlainStep;
    private bool _disposed;

    /// <summary>Starts the display; it draws with the first report.</summary>
    /// <param name="title">What is trained, in a few words.</param>
    /// <param name="steps">How many steps the whole run has.</param>
    /// <param name="plainEvery">Without a terminal, a line for each so many steps, and for the first and the last; default 10.</param>
    /// <param name="console">The terminal; null is the process's own, and plain lines where that is redirected or has no cursor.</param>
    /// <param name="plain">Where plain lines go; null is the standard output. Given, the display is always plain.</param>
    public TrainingDisplay(string title, long steps, int plainEvery = 10, IAnsiConsole? console = null, TextWriter? plain = null)
    {
        ArgumentNullException.ThrowIfNull(title);
        ArgumentOutOfRangeException.ThrowIfNegative(steps);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(plainEvery);
        (_title, _plainEvery, _plain, _history) = (title, plainEvery, plain ?? Console.Out, new RunHistory(steps));
        if (plain is null && (console is not null || IsTerminal))
        {
            // The library draws inside a callback. This one only hands its context out and waits, so that reports may come from anywhere.
            _liveTask = (console ?? AnsiConsole.Console).Live(new Text("")).AutoClear(false).StartAsync(async context =>
            {
                _live = context;
                await _ended.Task.ConfigureAwait(false);
            });
        }
        else
        {
            _plain.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{title}: {steps} steps"));
        }
    }

    /// <summary>Whether the standard output is a terminal in which a cursor can move.</summary>
    public static bool IsTerminal =>
        !Console.IsOutputRedirected && AnsiConsole.Profile.Capabilities.Ansi && Environment.GetEnvironmentVariable("TERM") != "dumb";

    /// <summary>Takes in a step and shows it.</summary>
    public void Report(StepReport value)
    {
        ArgumentNullException.ThrowIfNull(value);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            var isFirst = _history.Last is null;
            _history.Add(value);
            if (_live is not null)
                Draw(always: isFirst);
            else if (isFirst || value.Step % _plainEvery == 0 || value.Step == _history.Steps)
                WriteLine();
        }
    }

    /// <summary>Draws the last state and gives the terminal back.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            if (_live is not null)
                Draw(always: true);
            else if (_history.Last is { } last && last.Step != _lastPlainStep)
                WriteLine();
        }

        _ended.SetResult();
        _liveTask?.GetAwaiter().GetResult();
    }

    private void WriteLine()
    {
        var last = _history.Last!;
        _lastPlainStep = last.Step;
        var metrics = string.Join("  ", MetricRows.Of(_history).Select(row => $"{row.Label.Trim()} {row.Value}"));
        var left = _history.Left is { } time ? $"  left {MetricRows.Clock(time)}" : "";
        _plain.WriteLine(string.Create(CultureInfo.InvariantCulture, $"step {last.Step}/{_history.Steps}  {metrics}  elapsed {MetricRows.Clock(last.Elapsed)}{left}"));
    }

    private void Draw(bool always)
    {
        if (!always && System.Diagnostics.Stopwatch.GetElapsedTime(_lastFrame) < Frame)
            return;
        _lastFrame = System.Diagnostics.Stopwatch.GetTimestamp();
        _live!.UpdateTarget(Panel());
    }

    private Rows Panel()
    {
        var table = new Table().NoBorder().HideHeaders();
        table.AddColumn(new TableColumn("").Width(14).NoWrap().PadLeft(0));
        table.AddColumn(new TableColumn("").RightAligned().Width(8).NoWrap());
        table.AddColumn(new TableColumn("").Width(42).NoWrap().PadLeft(2));
        foreach (var (metric, label, value) in MetricRows.Of(_history))
        {
            var isReward = metric.StartsWith("reward/", StringComparison.Ordinal);
            table.AddRow(
                new Text(label, new Style(Color.Grey)),
                new Text(value, new Style(decoration: metric == "reward/mean" ? Decoration.Bold : Decoration.None)),
                new Text(Sparkline.Of(_history.Course(metric), 40), new Style(isReward ? Color.Green : Color.Grey)));
        }

        return new Rows(new Text(""), new Text("  " + _title, new Style(decoration: Decoration.Bold)), Progress(), new Text(""), new Padder(table, new Padding(2, 0, 0, 0)));
    }

    private Paragraph Progress()
    {
        const int width = 36;
        var filled = (int)Math.Round(_history.Share * width);
        var elapsed = MetricRows.Clock(_history.Last?.Elapsed ?? TimeSpan.Zero);
        var left = _history.Left is { } time ? $" · {MetricRows.Clock(time)} left" : "";
        return new Paragraph()
            .Append(string.Create(CultureInfo.InvariantCulture, $"  step {_history.Last?.Step ?? 0} of {_history.Steps}  "))
            .Append(new string('━', filled), new Style(Color.Green))
            .Append(new string('━', width - filled), new Style(Color.Grey23))
            .Append(string.Create(CultureInfo.InvariantCulture, $"  {100 * _history.Share:F0} %  {elapsed}{left}"), new Style(Color.Grey));
    }
}
