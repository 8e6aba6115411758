using System.Buffers;
using System.Text.Json;
using PostTrain.Data;
using PostTrain.Text.Files;
using PostTrain.Training.Diagnostics;
using PostTrain.Training.Distributed;

namespace PostTrain.Training;

/// <summary>An observer that appends each <see cref="StepReport"/> to a JSONL file, one object per line.</summary>
/// <remarks>A line is <c>{"step":1,"loss":0.5,"elapsed_seconds":0.25,"kl":0.01}</c>: three fixed fields, then every metric under its own
/// name. Numbers round-trip exactly; NaN and infinities are the strings <c>"NaN"</c>, <c>"Infinity"</c> and <c>"-Infinity"</c>. A metric
/// with the name of a fixed field is not written again. Warnings of <see cref="TrainingDiagnostics"/> after a step are in its line as
/// <c>"warnings":[{"name":…,"level":…,"value":…,"message":…,"advice":…}]</c>. Each line reaches the operating system before <see
/// cref="Report"/> returns. Calls may come from any thread.</remarks>
public sealed class MetricsLog : IProgress<StepReport>, IDisposable
{
    private readonly Lock gate = new();
    private readonly FileStream stream;
    private readonly ArrayBufferWriter<byte> line = new(512);

    private readonly TrainingDiagnostics diagnostics;

    private MetricsLog(string path, TrainingDiagnostics diagnostics)
    {
        this.diagnostics = diagnostics;
        // Unbuffered: a line is one write, so a killed process leaves at most one partial line.
        stream = RankFile.Open(path, FileMode.Append);
        Path = path;
    }

    /// <summary>Path of the file, as given to <see cref="Open"/>.</summary>
    public string Path { get; }

    /// <summary>Opens a log for appending.</summary>
    /// <param name="path">The file, usually <c>metrics.jsonl</c>. Missing directories are created.</param>
    /// <param name="resumeAfterStep">null (default) replaces an old log. A number keeps the records up to and including that step and drops
    /// later ones, because the resumed run reports them again; a last line damaged by a crash is dropped too.</param>
    /// <param name="diagnostics">Examines each report before it is written, so do not make it an observer of the run too. Null applies the
    /// default rules; diagnostics without rules (<c>new TrainingDiagnostics(rules: [])</c>) write no warnings. The kept records are passed
    /// to it, so that a resumed run raises the same warnings.</param>
    /// <exception cref="InvalidDataException">The log to continue has a malformed line other than its last; the file is
    /// unchanged.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static MetricsLog Open(string path, long? resumeAfterStep = null, TrainingDiagnostics? diagnostics = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        diagnostics ??= new TrainingDiagnostics();
        if (!RankFile.IsWritten)
            return new MetricsLog(path, diagnostics);
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
                    // The original bytes: records of an earlier version are not rewritten.
                    stream.Write(line.Text.Span);
                    stream.WriteByte((byte)'\n');
                    diagnostics.Look(report, tell: false);
                }
            }
        );
        return new MetricsLog(path, diagnostics);
    }

    /// <summary>Reads a log. A last line damaged by a crash is left out; empty lines are skipped.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">A line is not a record; the message names file, line and reason.</exception>
    public static IReadOnlyList<StepReport> Read(string path) => [.. Records(path).Select(record => record.Report)];

    /// <summary>Returns the warnings in a log, oldest first.</summary>
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
                // A line without a final line feed was being written when the process ended.
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
    /// <exception cref="IOException">The record could not be written, for instance on a full disk; a partial record is removed.</exception>
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
            // An exception of a listener must not prevent the line.
            diagnostics.Tell(warnings);
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
}
