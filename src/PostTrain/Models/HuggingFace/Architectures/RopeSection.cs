using System.Text.Json;

namespace PostTrain.Models.HuggingFace;

/// <summary>One object of rope parameters. Unknown fields are rejected: they would change every number.</summary>
internal sealed class RopeSection(ConfigFile file, string name, JsonElement section)
{
    private readonly HashSet<string> read = new(StringComparer.Ordinal);

    /// <summary>Reads the rotary embedding of the object; missing fields are taken from <paramref name="rotary"/>.</summary>
    public RotarySpec Read(RotarySpec rotary, int trained)
    {
        var type = Text("rope_type");
        var older = Text("type");
        RotaryScaling? scaling = (type ?? older ?? "default") switch
        {
            "default" => null,
            "linear" => new LinearScaling(Required("factor")),
            "dynamic" => Dynamic(trained),
            "llama3" => new Llama3Scaling(
                Required("factor"),
                Required("low_freq_factor"),
                Required("high_freq_factor"),
                OriginalLength(trained)
            ),
            "yarn" => Yarn(trained),
            var other => throw file.Error($"{name}.rope_type", $"\"{other}\"", "one of default, linear, dynamic, llama3, yarn"),
        };
        var found = rotary with
        {
            Theta = Number("rope_theta") ?? rotary.Theta,
            Fraction = Number("partial_rotary_factor") ?? rotary.Fraction,
            Scaling = scaling,
        };
        foreach (var item in section.EnumerateObject())
        {
            if (!read.Contains(item.Name) && item.Value.ValueKind != JsonValueKind.Null)
                throw file.Error(
                    $"{name}.{item.Name}",
                    "given",
                    $"only what a rotary embedding of type {type ?? older ?? "default"} has: "
                        + $"{string.Join(", ", read.Order(StringComparer.Ordinal))}"
                );
        }

        return found;
    }

    public static void Write(Utf8JsonWriter json, RotaryScaling scaling)
    {
        json.WriteStartObject("rope_scaling");
        switch (scaling)
        {
            case LinearScaling linear:
                json.WriteString("rope_type", "linear");
                json.WriteNumber("factor", linear.Factor);
                break;
            case DynamicScaling dynamic:
                json.WriteString("rope_type", "dynamic");
                json.WriteNumber("factor", dynamic.Factor);
                break;
            case Llama3Scaling llama3:
                json.WriteString("rope_type", "llama3");
                json.WriteNumber("factor", llama3.Factor);
                json.WriteNumber("low_freq_factor", llama3.LowFrequencyFactor);
                json.WriteNumber("high_freq_factor", llama3.HighFrequencyFactor);
                json.WriteNumber("original_max_position_embeddings", llama3.OriginalLength);
                break;
            case YarnScaling yarn:
                json.WriteString("rope_type", "yarn");
                json.WriteNumber("factor", yarn.Factor);
                json.WriteNumber("original_max_position_embeddings", yarn.OriginalLength);
                json.WriteNumber("beta_fast", yarn.BetaFast);
                json.WriteNumber("beta_slow", yarn.BetaSlow);
                if (yarn.Attention is { } factor)
                    json.WriteNumber("attention_factor", factor);
                if (!yarn.Truncate)
                    json.WriteBoolean("truncate", false);
                break;
        }

        json.WriteEndObject();
    }

    // Its original length is the file's; transformers ignores a different one of its own.
    private DynamicScaling Dynamic(int trained) =>
        OriginalLength(trained) is var original && original == trained
            ? new DynamicScaling(Required("factor"), trained)
            : throw file.Error($"{name}.original_max_position_embeddings", $"{original}", $"{trained}, as max_position_embeddings");

    private YarnScaling Yarn(int trained)
    {
        var original = OriginalLength(trained);
        var factor = Number("factor") ?? trained / (double)original;
        var (own, all) = (Number("mscale") ?? 0, Number("mscale_all_dim") ?? 0);
        // Two weights give the ratio of two attention factors; a single one has no effect in transformers.
        var ratio = own != 0 && all != 0 ? YarnScaling.Magnitude(factor, own) / YarnScaling.Magnitude(factor, all) : (double?)null;
        return new YarnScaling(factor, original)
        {
            BetaFast = Number("beta_fast") is { } fast && fast != 0 ? fast : 32,
            BetaSlow = Number("beta_slow") is { } slow && slow != 0 ? slow : 1,
            Attention = Number("attention_factor") ?? ratio,
            Truncate = Flag("truncate") ?? true,
        };
    }

    private int OriginalLength(int trained) =>
        Find("original_max_position_embeddings") is not { } value ? trained
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var length) && length > 0 ? length
        : throw file.Error($"{name}.original_max_position_embeddings", value.GetRawText(), "a positive integer");

    private double Required(string key) => Number(key) ?? throw file.Error($"{name}.{key}", "missing", "a number");

    private double? Number(string key) =>
        Find(key) is not { } value ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number) ? number
        : throw file.Error($"{name}.{key}", value.GetRawText(), "a finite number");

    private bool? Flag(string key) =>
        Find(key) is not { } value ? null
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
        : throw file.Error($"{name}.{key}", value.GetRawText(), "true or false");

    private string? Text(string key) =>
        Find(key) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : throw file.Error($"{name}.{key}", value.GetRawText(), "a string");

    private JsonElement? Find(string key)
    {
        read.Add(key);
        return section.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }
}
