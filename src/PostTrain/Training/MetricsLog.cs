using System.Buffers;
using System.Text.Json;
using PostTrain.Data;
using PostTrain.Text.Files;
using PostTrain.Training.Diagnostics;

namespace PostTrain.Training;

/// <summary>An observer that appends each <see cref="StepReport"/> to a JSONL file, one object a line.</summary>
/// <remarks>A line is <c>{"step":1,"loss":0.5,"elapsed_seconds":0.25,"kl":0.01}</c>: three fixed fields, then every metric under its own
/// name. Numbers are written so that they read back bit for bit; not-a-number and the infinities are the strings <c>"NaN"</c>,
/// <c>"Infinity"</c> and <c>"-Infinity"</c>. A metric named like a fixed field is not written a second time.
/// What <see cref="TrainingDiagnostics"/> has to say after a step stands in its line as
/// <c>"warnings":[{"name":…,"level":…,"value":…,"message":…,"advice":…}]</c>. Each line reaches the operating system before
/// <see cref="Report"/> returns. Calls may come from any thread.</remarks>
public sealed class MetricsLog : IProgress<StepReport>, IDisposable
{
    private readonly Lock gate = new();
    private readonly FileStream stream;
    private readonly ArrayBufferWriter<byte> line = new(512);

    private readonly TrainingDiagnostics diagnostics;

    private MetricsLog(string path, TrainingDiagnostics diagnostics)
    {
        this.diagnostics = diagnostics;
        // No buffer in between: a line is one write, so that a killed process leaves at most one torn line.
        stream = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
        Path = path;
    }

    /// <summary>The file that is written, as given to <see cref="Open"/>.</summary>
    public string Path { get; }

    /// <summary>Opens a log for appending.</summary>
    /// <param name="path">The file, commonly <c>metrics.jsonl</c>. Missing directories are created.</param>
    /// <param name="resumeAfterStep">null (default) starts a new log in place of an old one. A number keeps the records up to and
    /// including that step and drops those after it, because the resumed run reports them again; a last line torn by a crash is dropped
    /// too.</param>
    /// <param name="diagnostics">Looks at each report before it is written, so do not make it an observer of the run too; null looks with
    /// the default rules, and one without rules (<c>new TrainingDiagnostics(rules: [])</c>) writes no warnings. It takes in the records
    /// that are kept, so that a resumed run raises the same warnings.</param>
    /// <exception cref="InvalidDataException">The log to continue has a broken line that is not its last; the file is left as it
    /// is.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static MetricsLog Open(string path, long? resumeAfterStep = null, TrainingDiagnostics? diagnostics = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        diagnostics ??= new TrainingDiagnostics();
        AtomicFile.Write(
            path,
            stream =>
            {
                if (resumeAfterStep is not { } last || !File.Exists(path))
                    return;
                foreach (var (line, report, _) in Records(path))
                {
                    if (report.Step > last)
                        continue;
                    // The bytes as they are: what an earlier version wrote stays what it was.
                    stream.Write(line.Text.Span);
                    stream.WriteByte((byte)'\n');
                    diagnostics.Look(report, tell: false);
                }
            }
        );
        return new MetricsLog(path, diagnostics);
    }

    /// <summary>Reads a log back. A last line that a crash has torn is left out; an empty line is skipped.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">A line is not a record; the message names file, line and reason.</exception>
    public static IReadOnlyList<StepReport> Read(string path) => [.. Records(path).Select(record => record.Report)];

    /// <summary>The warnings in a log, oldest first.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">A line is not a record; the message names file, line and reason.</exception>
    public static IReadOnlyList<Warning> ReadWarnings(string path) => [.. Records(path).SelectMany(record => record.Warnings)];

    private static IEnumerable<(MetricsRecord.Line Line, StepReport Report, IReadOnlyList<Warning> Warnings)> Records(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        foreach (var line in MetricsRecord.Lines(path))
        {
            (StepReport Report, IReadOnlyList<Warning> Warnings) record;
            try
            {
                record = MetricsRecord.Parse(line.Text);
            }
            catch (Exception error) when (error is JsonException or InvalidDataException)
            {
                // Lines end in a line feed. One that does not was being written when the process ended.
                if (!line.Ended)
                    continue;
                throw new InvalidDataException(
                    $"{path}, line {line.Number}: expected a JSON object with step, loss and elapsed_seconds: {error.Message}",
                    error
                );
            }
            yield return (line, record.Report, record.Warnings);
        }
    }

    /// <summary>Appends one record.</summary>
    /// <exception cref="IOException">The record could not be written, for instance on a full disk; what was written of it is taken
    /// back.</exception>
    /// <exception cref="ObjectDisposedException">The log is closed.</exception>
    public void Report(StepReport value)
    {
        ArgumentNullException.ThrowIfNull(value);
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(!stream.CanWrite, this);
            line.ResetWrittenCount();
            var warnings = diagnostics.Look(value, tell: false);
            MetricsRecord.Write(line, value, warnings);
            var start = stream.Position;
            try
            {
                stream.Write(line.WrittenSpan);
            }
            catch (IOException)
            {
                stream.SetLength(start);
                throw;
            }
            // What a listener throws must not cost the line.
            diagnostics.Tell(warnings);
        }
    }

    /// <summary>Flushes the file to the disk and closes it.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            if (stream.CanWrite)
                stream.Flush(flushToDisk: true);
            stream.Dispose();
        }
    }
}
