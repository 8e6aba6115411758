using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models.HuggingFace;

/// <summary>The <c>config.json</c> that goes with written weights, laid out as transformers does: sorted, two spaces, one line feed at the
/// end.</summary>
internal static class CheckpointConfig
{
    private static readonly string[] ArchitectureEnds =
    [
        "ForCausalLM",
        "LMHeadModel",
        "ForSequenceClassification",
        "ForTokenClassification",
    ];

    private static readonly JsonWriterOptions Layout = new()
    {
        Indented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Of a decoder: what was read when it was loaded, with the type that is written now; else what its configuration
    /// says.</summary>
    public static JsonObject Of(DecoderConfig decoder, CheckpointOrigin? origin, ScalarType type)
    {
        var name = NameOf(type);
        if (origin is null)
            return Created(decoder, name);
        var config = JsonObject.Create(origin.Config.Clone())!;
        // transformers 5 writes dtype, 4 wrote torch_dtype; either reads both.
        config[config.ContainsKey("torch_dtype") && !config.ContainsKey("dtype") ? "torch_dtype" : "dtype"] = name;
        return config;
    }

    /// <summary>Turns a language model's configuration into that of a classifier on its body.</summary>
    /// <param name="config">Changed in place.</param>
    /// <param name="labels">Number of scores.</param>
    /// <param name="tokens">Whether every token is classified, or the sequence.</param>
    /// <param name="paddingId">The id behind which a sequence has ended.</param>
    public static void MakeClassifier(JsonObject config, int labels, bool tokens, int? paddingId)
    {
        var architecture =
            config["architectures"] is JsonArray { Count: > 0 } names
            && names[0] is JsonValue value
            && value.TryGetValue<string>(out var text)
                ? text
                : "";
        var end = Array.Find(ArchitectureEnds, end => architecture.EndsWith(end, StringComparison.Ordinal));
        if (end is not null)
            config["architectures"] = new JsonArray(
                architecture[..^end.Length] + (tokens ? "ForTokenClassification" : "ForSequenceClassification")
            );
        if ((config["id2label"] as JsonObject)?.Count != labels)
        {
            var (toLabel, toId) = (new JsonObject(), new JsonObject());
            for (var label = 0; label < labels; label++)
            {
                var key = label.ToString(System.Globalization.CultureInfo.InvariantCulture);
                toLabel[key] = "LABEL_" + key;
                toId["LABEL_" + key] = label;
            }

            config["id2label"] = toLabel;
            config["label2id"] = toId;
        }

        if (config.ContainsKey("num_labels"))
            config["num_labels"] = labels;
        if (paddingId is { } id)
            config["pad_token_id"] = id;
    }

    public static byte[] Bytes(JsonObject config)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Layout))
        {
            json.WriteStartObject();
            foreach (var (name, value) in config.OrderBy(item => item.Key, StringComparer.Ordinal))
            {
                json.WritePropertyName(name);
                if (value is null)
                    json.WriteNullValue();
                else
                    value.WriteTo(json);
            }

            json.WriteEndObject();
        }

        buffer.WriteByte((byte)'\n');
        return buffer.ToArray();
    }

    private static JsonObject Created(DecoderConfig config, string dtype)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
            Architectures.Write(json, config, dtype);
        return JsonNode.Parse(buffer.ToArray())!.AsObject();
    }

    internal static string NameOf(ScalarType type) =>
        type switch
        {
            ScalarType.Float64 => "float64",
            ScalarType.Float16 => "float16",
            ScalarType.BFloat16 => "bfloat16",
            _ => "float32",
        };
}
