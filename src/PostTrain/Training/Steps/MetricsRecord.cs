using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using PostTrain.Training.Diagnostics;

namespace PostTrain.Training;

/// <summary>The line format of <see cref="MetricsLog"/>: one <see cref="StepReport"/> as a JSON object and back.</summary>
internal static class MetricsRecord
{
    /// <summary>Maximum length of a line; a longer line is rejected before it is held in memory.</summary>
    public const int MaximumLineBytes = 1 << 20;

    private const string Step = "step";
    private const string Loss = "loss";
    private const string Elapsed = "elapsed_seconds";
    private const string Warnings = "warnings";

    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>A line of a log, its number from 1, and whether a line feed ended it.</summary>
    public readonly record struct Line(ReadOnlyMemory<byte> Text, int Number, bool Ended);

    /// <summary>Appends the record and its line feed.</summary>
    public static void Write(IBufferWriter<byte> buffer, StepReport report, IReadOnlyList<Warning> warnings)
    {
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            json.WriteNumber(Step, report.Step);
            WriteNumber(json, Loss, report.Loss);
            WriteNumber(json, Elapsed, report.Elapsed.TotalSeconds);
            foreach (var (name, value) in report.Metrics)
            {
                if (name is not (Step or Loss or Elapsed))
                    WriteNumber(json, name, value);
            }

            if (warnings.Count > 0)
                WriteWarnings(json, warnings);
            json.WriteEndObject();
        }

        buffer.Write("\n"u8);
    }

    private static void WriteWarnings(Utf8JsonWriter json, IReadOnlyList<Warning> warnings)
    {
        json.WriteStartArray(Warnings);
        foreach (var warning in warnings)
        {
            json.WriteStartObject();
            json.WriteString("name", warning.Name);
            json.WriteString("level", warning.Level == DiagnosticLevel.Note ? "note" : "warning");
            WriteNumber(json, "value", warning.Value);
            json.WriteString("message", warning.Message);
            json.WriteString("advice", warning.Advice);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>Reads one record; throws <see cref="JsonException"/> or <see cref="InvalidDataException"/> with the reason.</summary>
    public static (StepReport Report, IReadOnlyList<Warning> Warnings) Parse(ReadOnlyMemory<byte> line)
    {
        using var document = JsonDocument.Parse(line);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException($"found {document.RootElement.ValueKind}.");

        long? step = null;
        double? loss = null,
            seconds = null;
        var metrics = new Dictionary<string, double>();
        JsonElement said = default;
        foreach (var field in document.RootElement.EnumerateObject())
        {
            switch (field.Name)
            {
                case Step:
                    step =
                        field.Value.ValueKind == JsonValueKind.Number && field.Value.TryGetInt64(out var whole)
                            ? whole
                            : throw new InvalidDataException($"step is {field.Value.GetRawText()}, expected a whole number.");
                    break;
                case Loss:
                    loss = ReadNumber(field.Name, field.Value);
                    break;
                case Elapsed:
                    seconds = ReadNumber(field.Name, field.Value);
                    break;
                case Warnings when field.Value.ValueKind == JsonValueKind.Array:
                    said = field.Value;
                    break;
                default:
                    metrics[field.Name] = ReadNumber(field.Name, field.Value);
                    break;
            }
        }

        var report = new StepReport(
            step ?? throw new InvalidDataException("step is missing."),
            loss ?? throw new InvalidDataException("loss is missing."),
            metrics,
            ToTimeSpan(seconds ?? throw new InvalidDataException("elapsed_seconds is missing."))
        );
        return (
            report,
            said.ValueKind == JsonValueKind.Array ? [.. said.EnumerateArray().Select(warning => ReadWarning(warning, report.Step))] : []
        );
    }

    private static Warning ReadWarning(JsonElement warning, long step)
    {
        string Text(string name) =>
            warning.ValueKind == JsonValueKind.Object
            && warning.TryGetProperty(name, out var value)
            && value.ValueKind == JsonValueKind.String
                ? value.GetString()!
                : throw new InvalidDataException(
                    $"warnings holds {warning.GetRawText()}, expected objects with name, level, value, message and advice."
                );
        string level = Text("level");
        double number = warning.TryGetProperty("value", out var found)
            ? ReadNumber("value", found)
            : throw new InvalidDataException("a warning has no value.");
        return new Warning(Text("name"), step, number, Text("message"), Text("advice"))
        {
            Level = level switch
            {
                "note" => DiagnosticLevel.Note,
                "warning" => DiagnosticLevel.Warning,
                _ => throw new InvalidDataException($"a warning's level is \"{level}\", expected \"note\" or \"warning\"."),
            },
        };
    }

    /// <summary>Returns the nonempty lines of a file, with a buffer of at most <see cref="MaximumLineBytes"/>.</summary>
    public static IEnumerable<Line> Lines(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var buffer = new byte[1 << 14];
        int start = 0,
            end = 0,
            number = 0;
        while (true)
        {
            var length = buffer.AsSpan(start, end - start).IndexOf((byte)'\n');
            if (length >= 0)
            {
                number++;
                if (!IsBlank(buffer.AsSpan(start, length)))
                    yield return new Line(buffer.AsMemory(start, length), number, Ended: true);
                start += length + 1;
                continue;
            }

            if (end - start > MaximumLineBytes)
                throw new InvalidDataException($"{path}, line {number + 1}: longer than {MaximumLineBytes} bytes, expected a record.");

            buffer.AsSpan(start, end - start).CopyTo(buffer);
            (start, end) = (0, end - start);
            if (end == buffer.Length)
                Array.Resize(ref buffer, buffer.Length * 2);

            var read = stream.Read(buffer, end, buffer.Length - end);
            if (read == 0)
                break;
            end += read;
        }

        if (!IsBlank(buffer.AsSpan(0, end)))
            yield return new Line(buffer.AsMemory(0, end), number + 1, Ended: false);
    }

    private static bool IsBlank(ReadOnlySpan<byte> line) => line.IndexOfAnyExcept(" \t\r"u8) < 0;

    private static void WriteNumber(Utf8JsonWriter json, string name, double value)
    {
        if (double.IsFinite(value))
            json.WriteNumber(name, value);
        else
            json.WriteString(name, value.ToString(CultureInfo.InvariantCulture));
    }

    private static double ReadNumber(string name, JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.Number when value.TryGetDouble(out var number) => number,
            JsonValueKind.String => value.GetString() switch
            {
                "NaN" => double.NaN,
                "Infinity" => double.PositiveInfinity,
                "-Infinity" => double.NegativeInfinity,
                var text => throw new InvalidDataException(
                    $"{name} is \"{text}\", expected a number, \"NaN\", \"Infinity\" or \"-Infinity\"."
                ),
            },
            var kind => throw new InvalidDataException($"{name} is {kind}, expected a number."),
        };

    private static TimeSpan ToTimeSpan(double seconds)
    {
        // Rounded to the tick; TimeSpan.FromSeconds would truncate and come back one tick short.
        var ticks = Math.Round(seconds * TimeSpan.TicksPerSecond);
        return Math.Abs(ticks) < long.MaxValue
            ? TimeSpan.FromTicks((long)ticks)
            : throw new InvalidDataException($"elapsed_seconds is {seconds.ToString(CultureInfo.InvariantCulture)}, expected a time span.");
    }
}
