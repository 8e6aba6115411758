using System.Diagnostics;
using System.Globalization;
using Spectre.Console;

namespace PostTrain.Tool;

/// <summary>The outputs of the tool: results on the standard output, what it is doing on the standard error output. A terminal has a live
/// display; elsewhere lines and dots are plain.</summary>
internal sealed class Terminal : IDisposable
{
    private static readonly TimeSpan WorthATime = TimeSpan.FromSeconds(1);
    private readonly DottedWriter? dots;

    private Terminal(TextWriter output, TextWriter progress, TextReader input, bool isLive)
    {
        (Input, IsLive) = (input, isLive);
        if (isLive)
            (Output, Progress) = (output, progress);
        else
        {
            (dots, var errors) = DottedWriter.Pair(output, progress);
            (Output, Progress) = (dots, errors);
        }
    }

    internal TextWriter Output { get; }

    internal TextWriter Progress { get; }

    internal TextReader Input { get; }

    /// <summary>True for a terminal with a movable cursor.</summary>
    internal bool IsLive { get; }

    internal static Terminal OfProcess() => new(Console.Out, Console.Error, Console.In, TrainingDisplay.IsTerminal);

    /// <summary>Plain outputs, for tests.</summary>
    internal static Terminal Plain(TextWriter output, TextWriter progress, TextReader? input = null) =>
        new(output, progress, input ?? TextReader.Null, isLive: false);

    /// <summary>Marks the time in which the tool works; elsewhere than in a terminal, dots then follow each other.</summary>
    internal IDisposable? Busy() => dots?.Busy();

    internal void Line(string text = "") => Output.WriteLine(text);

    internal void Error(string text) => Progress.WriteLine(text);

    /// <summary>Says what is done while it is done.</summary>
    /// <param name="doing">The action, such as <c>loading the model</c>.</param>
    /// <param name="work">The work.</param>
    internal T Do<T>(string doing, Func<T> work)
    {
        long start = Stopwatch.GetTimestamp();
        T result;
        if (IsLive)
            result = AnsiConsole.Status().Start(Markup.Escape(doing), _ => work());
        else
        {
            Progress.WriteLine(doing);
            result = work();
        }
        Done(doing, start);
        return result;
    }

    /// <inheritdoc cref="Do{T}(string, Func{T})"/>
    internal void Do(string doing, Action work) =>
        Do(
            doing,
            () =>
            {
                work();
                return true;
            }
        );

    /// <inheritdoc cref="Do{T}(string, Func{T})"/>
    internal async Task<T> DoAsync<T>(string doing, Func<Task<T>> work)
    {
        long start = Stopwatch.GetTimestamp();
        T result;
        if (IsLive)
            result = await AnsiConsole.Status().StartAsync(Markup.Escape(doing), _ => work()).ConfigureAwait(false);
        else
        {
            Progress.WriteLine(doing);
            result = await work().ConfigureAwait(false);
        }
        Done(doing, start);
        return result;
    }

    private void Done(string doing, long start)
    {
        var time = Stopwatch.GetElapsedTime(start);
        if (IsLive)
            AnsiConsole.MarkupLineInterpolated(CultureInfo.InvariantCulture, $"[grey]{doing}  {time.TotalSeconds:F1} s[/]");
        else if (time > WorthATime)
            Progress.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {time.TotalSeconds:F1} s"));
    }

    public void Dispose()
    {
        Output.Flush();
        Progress.Flush();
    }
}
