using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using PostTrain.Text.Chat;

namespace PostTrain.Tool;

/// <summary>A subcommand: its options with their ranges, and what becomes of its errors.</summary>
internal abstract class ToolCommand : Command
{
    // As in shells: 128 plus the number of the signal.
    private const int Interrupted = 130;

    private readonly Dictionary<Option, Func<ParseResult, object?>> readers = [];
    private readonly HashSet<Option> paths = [];

    protected ToolCommand(string name, string description, Terminal terminal)
        : base(name, description)
    {
        Terminal = terminal;
        Config = new("--config") { Description = "YAML file of options; options of the command line win.", HelpName = "FILE" };
        Add(Config);
        SetAction(GuardedAsync);
    }

    protected Terminal Terminal { get; }

    protected Option<string?> Config { get; }

    /// <summary>Returns the file of options that a command line names; null for none.</summary>
    internal virtual string? FileOf(ParseResult given) => given.GetValue(Config);

    /// <summary>Returns true for an option that belongs into a file of options.</summary>
    internal bool IsRecorded(Option option) => readers.ContainsKey(option);

    /// <summary>Returns the effective values of the options, in the order of the help; null values are left out, paths are whole.</summary>
    internal IEnumerable<KeyValuePair<string, IReadOnlyList<string>>> Settings(ParseResult values) =>
        Options
            .Where(IsRecorded)
            .Select(option => (option, Value: readers[option](values)))
            .Where(item => item.Value is not null and not Array { Length: 0 })
            .Select(item =>
                KeyValuePair.Create(
                    item.option.Name.TrimStart('-'),
                    (IReadOnlyList<string>)
                        [.. item.Value is Array many ? many.Cast<object>().Select(Text) : [Text(item.Value!, paths.Contains(item.option))]]
                )
            );

    protected abstract Task RunAsync(ParseResult values, CancellationToken stop);

    /// <summary>Adds an option. A number has a range; a value out of it is refused before anything else is done.</summary>
    protected Option<T> Of<T>(string name, string description, T value, OptionRange? range = null, string? help = null)
    {
        var option = new Option<T>(name) { Description = description, HelpName = help ?? (range is null ? null : "N") };
        if (value is not null and not Array)
            option.DefaultValueFactory = _ => value;
        if (range is not null)
            option.Validators.Add(result =>
            {
                // Text that is not a number has its own error.
                if (!result.Errors.Any() && result.GetValueOrDefault<T>() is { } number)
                    if (!range.Holds(Convert.ToDouble(number, CultureInfo.InvariantCulture)))
                        result.AddError(string.Create(CultureInfo.InvariantCulture, $"{name} is {number}, expected {range}"));
            });
        return Record(option);
    }

    /// <summary>Adds a file or directory.</summary>
    protected Option<string?> PathOf(string name, string description, string help, bool required = false)
    {
        var option = Record(
            new Option<string?>(name)
            {
                Description = description,
                HelpName = help,
                Required = required,
            }
        );
        paths.Add(option);
        return option;
    }

    /// <summary>Adds an option whose values have names.</summary>
    protected Option<string?> Choice(string name, string description, string? value, IEnumerable<string> names)
    {
        string[] known = [.. names];
        var option = new Option<string?>(name) { Description = $"{description} One of {string.Join(", ", known)}.", HelpName = "NAME" };
        if (value is not null)
            option.DefaultValueFactory = _ => value;
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string?>() is { } given && !known.Contains(given))
                result.AddError($"{name} is '{given}', expected one of {string.Join(", ", known)}{NearestName.Hint(given, known)}");
        });
        return Record(option);
    }

    /// <summary>Adds an option that is no setting of a run, such as where its results go.</summary>
    protected Option<T> Unrecorded<T>(string name, string description, string? help = null)
    {
        var option = new Option<T>(name) { Description = description, HelpName = help };
        Add(option);
        return option;
    }

    private Option<T> Record<T>(Option<T> option)
    {
        readers[option] = values => values.GetValue(option);
        Add(option);
        return option;
    }

    private async Task<int> GuardedAsync(ParseResult values, CancellationToken stop)
    {
        try
        {
            using (Terminal.Busy())
                await RunAsync(values, stop).ConfigureAwait(false);
            return 0;
        }
        catch (UsageException exception)
        {
            return PostTrainTool.Refuse(Terminal, this, exception.Message);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Terminal.Error("stopped");
            return Interrupted;
        }
        catch (Exception exception)
            when (exception
                    is ArgumentException
                        or InvalidDataException
                        or InvalidOperationException
                        or IOException
                        or UnauthorizedAccessException
                        or NotSupportedException
                        or TemplateException
                        or ExternalException
                        or OutOfMemoryException
            )
        {
            // Parameter names are the library's, not the user's.
            string message = exception is ArgumentException { ParamName: { } name }
                ? exception.Message.Replace($" (Parameter '{name}')", "", StringComparison.Ordinal)
                : exception.Message;
            Terminal.Error(message);
            return 1;
        }
    }

    private static string Text(object value) => Text(value, isPath: false);

    private static string Text(object value, bool isPath) =>
        value switch
        {
            string text => isPath ? Path.GetFullPath(text) : text,
            bool flag => flag ? "true" : "false",
            double number => number.ToString("R", CultureInfo.InvariantCulture),
            IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
            _ => value.ToString()!,
        };
}
