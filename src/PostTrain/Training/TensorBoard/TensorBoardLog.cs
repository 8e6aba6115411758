using System.Globalization;
using PostTrain.Training.Distributed;

namespace PostTrain.Training.TensorBoard;

/// <summary>An observer that writes every metric as a scalar to a TensorBoard event file.</summary>
/// <remarks>
/// Each run, and each resumed run, has its own file <c>events.out.tfevents.SECONDS.HOST.PROCESS.0</c>. Files are never appended to, so a
/// file damaged by a crash does no harm. A resumed run begins its file with a session-start event at its first step; TensorBoard then drops
/// that step and later ones from earlier files. Tags are the metrics' names, values are float32. Each record is written in one call. Calls
/// may come from any thread.
/// <para>Format: TFRecord framing (length, masked CRC-32C) of <c>tensorflow.Event</c> protocol buffers, version
/// <c>brain.Event:2</c>.</para>
/// </remarks>
public sealed class TensorBoardLog : IProgress<StepReport>, IDisposable
{
    private const string Prefix = "events.out.tfevents.";
    private readonly Lock gate = new();
    private readonly TimeProvider time;
    private readonly FileStream stream;

    private TensorBoardLog(string path, TimeProvider time)
    {
        (Path, this.time) = (path, time);
        stream = RankFile.Open(path, FileMode.CreateNew);
    }

    /// <summary>Path of the file.</summary>
    public string Path { get; }

    /// <summary>Creates an event file.</summary>
    /// <param name="directory">The run's directory, a child of TensorBoard's <c>--logdir</c>. Created if missing.</param>
    /// <param name="resumeAfterStep">Step of the checkpoint from which the run resumes; null for a new run. Files of earlier runs in the
    /// directory are kept, so give each run its own directory.</param>
    /// <param name="time">Source of the events' wall time; null means the system clock.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static TensorBoardLog Open(string directory, long? resumeAfterStep = null, TimeProvider? time = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        if (resumeAfterStep is { } step)
            Numerics.Guard.AtLeast(step, 0, nameof(resumeAfterStep));
        time ??= TimeProvider.System;
        Directory.CreateDirectory(directory);
        var log = new TensorBoardLog(System.IO.Path.Combine(directory, Name(directory, time.GetUtcNow().ToUnixTimeSeconds())), time);
        if (!RankFile.IsWritten)
            return log;
        try
        {
            log.Write(EventMessage.Version(log.Now));
            log.Write(EventMessage.SessionStart(log.Now, resumeAfterStep + 1 ?? 0));
        }
        catch
        {
            log.Dispose();
            throw;
        }
        return log;
    }

    /// <summary>Writes the loss and every metric of a step.</summary>
    /// <exception cref="IOException">The record could not be written; a partial record is removed.</exception>
    /// <exception cref="ObjectDisposedException">The log is closed.</exception>
    public void Report(StepReport value)
    {
        ArgumentNullException.ThrowIfNull(value);
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(!stream.CanWrite, this);
            Write(
                EventMessage.Scalars(
                    Now,
                    value.Step,
                    value.Step == 0
                        ? value.Metrics
                        : value.Metrics.Where(metric => metric.Key != "loss").Prepend(new KeyValuePair<string, double>("loss", value.Loss))
                )
            );
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

    private double Now => (time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalSeconds;

    private void Write(byte[] message)
    {
        long start = stream.Position;
        try
        {
            stream.Write(TfRecord.Frame(message));
        }
        catch (IOException)
        {
            stream.SetLength(start);
            throw;
        }
    }

    // TensorBoard reads a directory's files in the order of their names. A later file therefore needs a later time, even within the same
    // second or after the clock was set back.
    private static string Name(string directory, long seconds)
    {
        foreach (var file in Directory.EnumerateFiles(directory, Prefix + "*"))
        {
            var text = System.IO.Path.GetFileName(file).AsSpan(Prefix.Length);
            int end = text.IndexOf('.');
            if (
                end > 0
                && long.TryParse(text[..end], NumberStyles.None, CultureInfo.InvariantCulture, out long earlier)
                && earlier < 1L << 40
            )
                seconds = Math.Max(seconds, earlier + 1);
        }
        return string.Create(CultureInfo.InvariantCulture, $"{Prefix}{seconds:D10}.{Environment.MachineName}.{Environment.ProcessId}.0");
    }
}
