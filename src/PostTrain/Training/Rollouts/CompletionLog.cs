using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using PostTrain.Data;
using PostTrain.Numerics;
using PostTrain.Text.Files;
using PostTrain.Training.Distributed;

namespace PostTrain.Training;

/// <summary>An observer that writes some completions of some steps to a JSONL file.</summary>
/// <remarks>A line is <c>{"step":10,"prompt":"1+1=","completion":"2","reward":1,"tokens":1,"finished":true}</c>. Each line reaches the
/// operating system before <see cref="Report"/> returns. Calls may come from any thread.</remarks>
/// <example><code>
/// using var completions = CompletionLog.Open("artifacts/completions.jsonl");
/// var options = new GrpoOptions { CompletionObservers = [completions] };
/// </code></example>
public sealed class CompletionLog : IProgress<CompletionReport>, IDisposable
{
    /// <summary>Maximum length of a text; longer texts are cut.</summary>
    public const int MaximumCharacters = 20_000;

    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
    };

    private readonly Lock gate = new();
    private readonly FileStream stream;
    private readonly int every,
        rows;

    private CompletionLog(string path, int every, int rows)
    {
        stream = RankFile.Open(path, FileMode.Append);
        (Path, this.every, this.rows) = (path, every, rows);
    }

    /// <summary>Path of the file, as given to <see cref="Open"/>.</summary>
    public string Path { get; }

    /// <summary>Opens a log for appending.</summary>
    /// <param name="path">The file, usually <c>completions.jsonl</c> beside <c>metrics.jsonl</c>. Missing directories are created.</param>
    /// <param name="resumeAfterStep">null replaces an old log. A number keeps the lines up to and including that step, because the resumed
    /// run reports the later ones again.</param>
    /// <param name="every">Steps between logged steps, at least 1; the first step is logged too.</param>
    /// <param name="rows">Completions of a logged step, at least 1, spread evenly over the batch.</param>
    /// <exception cref="InvalidDataException">The log to continue has a malformed line other than its last; the file is
    /// unchanged.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static CompletionLog Open(string path, long? resumeAfterStep = null, int every = 10, int rows = 4)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        Guard.AtLeast(every, 1, nameof(every));
        Guard.AtLeast(rows, 1, nameof(rows));
        if (!RankFile.IsWritten)
            return new CompletionLog(path, every, rows);
        AtomicFile.Write(
            path,
            stream =>
            {
                if (resumeAfterStep is not { } last || !File.Exists(path))
                    return;
                foreach (var completion in Read(path).Where(completion => completion.Step <= last))
                    stream.Write(Line(completion));
            }
        );
        return new CompletionLog(path, every, rows);
    }

    /// <summary>Reads a log. A last line damaged by a crash is left out; empty lines are skipped.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">A line is not a record; the message names file, line and reason.</exception>
    public static IReadOnlyList<LoggedCompletion> Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var completions = new List<LoggedCompletion>();
        foreach (var line in MetricsRecord.Lines(path))
        {
            try
            {
                completions.Add(
                    JsonSerializer.Deserialize<LoggedCompletion>(line.Text.Span, Format) ?? throw new JsonException("found null.")
                );
            }
            catch (JsonException error)
            {
                if (line.Ended)
                    throw new InvalidDataException(
                        $"{path}, line {line.Number}: expected a JSON object with step, prompt, completion, reward, tokens and "
                            + $"finished: {error.Message}",
                        error
                    );
            }
        }
        return completions;
    }

    /// <summary>Logs completions of a step if it is due.</summary>
    /// <exception cref="IOException">They could not be written; a partial line is removed.</exception>
    /// <exception cref="ObjectDisposedException">The log is closed.</exception>
    public void Report(CompletionReport value)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (value.Step != 1 && value.Step % every != 0)
            return;
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(!stream.CanWrite, this);
            int count = Math.Min(rows, value.Completions.Count);
            long start = stream.Position;
            try
            {
                stream.Write([
                    .. Enumerable.Range(0, count).SelectMany(i => Line(Logged(value, (int)((long)i * value.Completions.Count / count)))),
                ]);
            }
            catch (IOException)
            {
                stream.SetLength(start);
                throw;
            }
        }
    }

    /// <summary>Flushes the file to disk and closes it.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            if (stream.CanWrite)
                stream.Flush(flushToDisk: true);
            stream.Dispose();
        }
    }

    private static LoggedCompletion Logged(CompletionReport report, int i)
    {
        var completion = report.Completions[i];
        return new LoggedCompletion(
            report.Step,
            Cut(completion.Problem.Prompt),
            Cut(completion.Text),
            report.Scores.Values[i],
            completion.Tokens.Length,
            completion.Finished
        );
    }

    private static byte[] Line(LoggedCompletion completion) => [.. JsonSerializer.SerializeToUtf8Bytes(completion, Format), (byte)'\n'];

    // Does not split a surrogate pair.
    private static string Cut(string text) =>
        text.Length <= MaximumCharacters
            ? text
            : text[..(char.IsHighSurrogate(text[MaximumCharacters - 1]) ? MaximumCharacters - 1 : MaximumCharacters)] + "…";
}
