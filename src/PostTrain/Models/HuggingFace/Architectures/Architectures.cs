using System.Text.Json;

namespace PostTrain.Models.HuggingFace;

/// <summary>The architectures of Hugging Face's config.json that a <see cref="DecoderConfig"/> can express, for reading and
/// writing.</summary>
internal static class Architectures
{
    // The order matters for a model without a type: the first architecture that can express it is written.
    private static readonly Architecture[] All =
    [
        new LlamaArchitecture(),
        new Gpt2Architecture(),
        new MistralArchitecture(),
        new Qwen2Architecture(),
        new Qwen3Architecture(),
        new GemmaArchitecture(),
        new Gemma2Architecture(),
        new Gemma3Architecture(),
        new Phi3Architecture(),
    ];

    /// <summary>Every supported <c>model_type</c>.</summary>
    public static IEnumerable<string> ModelTypes => All.Select(architecture => architecture.ModelType);

    /// <summary>Reads the configuration of a checkpoint, with all derived sizes.</summary>
    /// <exception cref="InvalidDataException">A field is missing, malformed, or not supported by the decoder; the message names
    /// it.</exception>
    public static DecoderConfig Read(ConfigFile file)
    {
        var type = file.Text("model_type");
        var architecture =
            Array.Find(All, candidate => candidate.ModelType == type)
            ?? throw file.Error("model_type", $"'{type}'", "one of the supported architectures: " + string.Join(", ", ModelTypes));
        if (file.OptionalObject("quantization_config") is not null)
            throw file.Error("quantization_config", "given", "none: quantised weights are not read");
        var config = architecture.Read(file) with
        {
            ModelType = type,
            BeginOfSequenceId = file.OptionalId("bos_token_id"),
            EndOfSequenceIds = file.Ids("eos_token_id"),
            PaddingId = file.OptionalId("pad_token_id"),
        };
        try
        {
            return config.Resolved();
        }
        catch (ArgumentException exception)
        {
            throw new InvalidDataException($"{file.Path}: the sizes do not agree: {exception.Message}", exception);
        }
    }

    /// <summary>Writes a configuration for which <see cref="WhyNotWritable"/> returns null.</summary>
    public static void Write(Utf8JsonWriter json, DecoderConfig config, string dtype)
    {
        var architecture =
            Array.Find(All, candidate => WhyNot(candidate, config) is null) ?? throw new NotSupportedException(WhyNotWritable(config));
        json.WriteStartObject();
        json.WriteStartArray("architectures");
        json.WriteStringValue(architecture.ClassName);
        json.WriteEndArray();
        json.WriteString("model_type", architecture.ModelType);
        architecture.Write(json, config);
        json.WriteNumber("vocab_size", config.VocabularySize);
        json.WriteBoolean("tie_word_embeddings", config.TiedEmbeddings);
        WriteId(json, "bos_token_id", config.BeginOfSequenceId);
        WriteIds(json, "eos_token_id", config.EndOfSequenceIds);
        WriteId(json, "pad_token_id", config.PaddingId);
        json.WriteString("torch_dtype", dtype);
        json.WriteEndObject();
    }

    /// <summary>Returns null if a Hugging Face architecture can express the configuration, and the reason if not.</summary>
    public static string? WhyNotWritable(DecoderConfig config)
    {
        if (Array.Exists(All, candidate => WhyNot(candidate, config) is null))
            return null;
        // Without a type, the nearest architecture with the same module names.
        var nearest = Array.Find(
            All,
            candidate => candidate.ModelType == (config.ModelType ?? (config.Naming == ModuleNaming.Gpt2 ? "gpt2" : "llama"))
        );
        return nearest is null ? $"its ModelType is {config.ModelType}" : WhyNot(nearest, config);
    }

    private static string? WhyNot(Architecture architecture, DecoderConfig config) =>
        config.ModelType is { } type && type != architecture.ModelType
            ? $"its ModelType is {type}"
            : ConfigDifference.Between(config, architecture.Nearest(config).Resolved());

    private static void WriteId(Utf8JsonWriter json, string name, int? id)
    {
        if (id is { } value)
            json.WriteNumber(name, value);
    }

    private static void WriteIds(Utf8JsonWriter json, string name, IReadOnlyList<int> ids)
    {
        if (ids.Count == 1)
        {
            json.WriteNumber(name, ids[0]);
        }
        else if (ids.Count > 1)
        {
            json.WriteStartArray(name);
            foreach (var id in ids)
                json.WriteNumberValue(id);
            json.WriteEndArray();
        }
    }
}
