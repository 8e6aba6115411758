using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using PostTrain.Data;
using PostTrain.Text.Files;

namespace PostTrain.Training.Reports;

/// <summary>Writes the outcome of a run as one JSON object.</summary>
public static class SummaryFile
{
    private const int MaximumBytes = 16 << 20;
    private static readonly string[] Described = ["method", "model", "data", "data_sha256", "trained_parameters", "seed"];
    private static readonly JsonSerializerOptions Options = new()
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new IntervalConverter() },
    };

    /// <summary>Writes or replaces <paramref name="path"/>. On failure an existing file is unchanged.</summary>
    /// <param name="path">The file, usually <c>summary.json</c>.</param>
    /// <param name="values">Names and values, written in this order. A value is a number, text, Boolean, list, dictionary or <see
    /// cref="ConfidenceInterval"/> (written as <c>[lower, upper]</c>). NaN and infinities are written as strings.</param>
    /// <exception cref="IOException">The file could not be written. An existing file is unchanged.</exception>
    public static void Write(string path, IReadOnlyDictionary<string, object> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        AtomicFile.WriteText(path, JsonSerializer.Serialize(values, Options) + "\n");
    }

    /// <summary>Writes the description of a run and its results: method, model, data, options, results, environment.</summary>
    /// <param name="path">As in <see cref="Write(string, IReadOnlyDictionary{string, object})"/>.</param>
    /// <param name="run">The run.</param>
    /// <param name="results">Names and values of the results; they follow the description at the top level.</param>
    /// <exception cref="IOException">The file could not be written. An existing file is unchanged.</exception>
    public static void Write(string path, RunDescription run, IReadOnlyDictionary<string, object> results)
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(results);
        var values = new Dictionary<string, object> { ["method"] = run.Method };
        foreach (
            var (name, value) in new (string, object?)[]
            {
                ("model", run.Model),
                ("data", run.Data),
                ("data_sha256", run.DataDigest),
                ("trained_parameters", run.TrainedParameters),
                ("seed", run.Seed),
            }
        )
            if (value is not null)
                values[name] = value;
        foreach (var (name, value) in results)
            values[name] = value;
        values["options"] = new Dictionary<string, string>(run.Options);
        values["environment"] = new Dictionary<string, string>(run.Environment);
        Write(path, values);
    }

    /// <summary>Returns the settings that <see cref="Write(string, RunDescription, IReadOnlyDictionary{string, object})"/> wrote: names and
    /// values of what a run was, without its results.</summary>
    /// <param name="path">The file. A missing file has no settings.</param>
    /// <exception cref="InvalidDataException">The file is not one JSON object.</exception>
    public static IReadOnlyDictionary<string, string> Settings(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var settings = new Dictionary<string, string>(StringComparer.Ordinal);
        if (!File.Exists(path))
            return settings;
        var text = BoundedFile.ReadText(path, MaximumBytes, "the summary of a run");
        try
        {
            using var document = JsonDocument.Parse(text);
            foreach (var name in Described)
                if (document.RootElement.TryGetProperty(name, out var value))
                    settings[name] = value.ToString();
            foreach (var group in (string[])["options", "environment"])
                if (document.RootElement.TryGetProperty(group, out var values) && values.ValueKind == JsonValueKind.Object)
                    foreach (var option in values.EnumerateObject())
                        settings.TryAdd(option.Name, option.Value.ToString());
            return settings;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"{path}: expected one JSON object: {exception.Message}", exception);
        }
    }

    private sealed class IntervalConverter : JsonConverter<ConfidenceInterval>
    {
        public override ConfidenceInterval Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            JsonSerializer.Deserialize<double[]>(ref reader, options) is [var lower, var upper]
                ? new ConfidenceInterval(lower, upper)
                : throw new JsonException("expected [lower, upper].");

        public override void Write(Utf8JsonWriter writer, ConfidenceInterval value, JsonSerializerOptions options) =>
            JsonSerializer.Serialize(writer, new[] { value.Lower, value.Upper }, options);
    }
}
