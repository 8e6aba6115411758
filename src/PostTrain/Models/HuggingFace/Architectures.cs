using System.Text.Json;

namespace PostTrain.Models.HuggingFace;

/// <summary>The architectures of Hugging Face's config.json that a <see cref="DecoderConfig"/> can express, read and written.</summary>
internal static class Architectures
{
    private static readonly (string Name, Activation Activation)[] ActivationNames =
    [
        ("relu", Activation.Relu),
        ("gelu", Activation.Gelu),
        ("gelu_new", Activation.GeluTanh),
        ("gelu_pytorch_tanh", Activation.GeluTanh),
        ("silu", Activation.Silu),
        ("swish", Activation.Silu),
    ];

    public static DecoderConfig Read(ConfigFile file)
    {
        var type = file.Text("model_type");
        var config = type switch
        {
            "gpt2" => ReadGpt2(file),
            "llama" => ReadLlama(file),
            _ => throw file.Error("model_type", $"'{type}'", "one of the supported architectures: gpt2, llama"),
        };
        try
        {
            return config.Resolved();
        }
        catch (ArgumentOutOfRangeException exception)
        {
            throw new InvalidDataException($"{file.Path}: the sizes do not agree: {exception.Message}", exception);
        }
    }

    public static void Write(Utf8JsonWriter json, DecoderConfig config, string dtype)
    {
        json.WriteStartObject();
        if (config.Naming == ModuleNaming.Gpt2)
            WriteGpt2(json, config);
        else
            WriteLlama(json, config);
        json.WriteNumber("vocab_size", config.VocabularySize);
        json.WriteBoolean("tie_word_embeddings", config.TiedEmbeddings);
        WriteId(json, "bos_token_id", config.BeginOfSequenceId);
        WriteIds(json, "eos_token_id", config.EndOfSequenceIds);
        WriteId(json, "pad_token_id", config.PaddingId);
        json.WriteString("torch_dtype", dtype);
        json.WriteEndObject();
    }

    private static DecoderConfig ReadGpt2(ConfigFile file)
    {
        foreach (var unsupported in new[] { "add_cross_attention", "scale_attn_by_inverse_layer_idx" })
        {
            if (file.Flag(unsupported, false))
                throw file.Error(unsupported, "true", "false, the only supported value");
        }

        var config = DecoderConfig.Gpt2(file.Size("vocab_size"), file.Size("n_positions"), file.Size("n_embd"), file.Size("n_layer"), file.Size("n_head"));
        return config with
        {
            FeedForwardSize = file.OptionalSize("n_inner") ?? 0,
            Activation = ReadActivation(file, "activation_function", "gelu_new"),
            NormEpsilon = file.Number("layer_norm_epsilon", 1e-5),
            ScaleAttention = file.Flag("scale_attn_weights", true),
            TiedEmbeddings = file.Flag("tie_word_embeddings", true),
            BeginOfSequenceId = file.OptionalId("bos_token_id"),
            EndOfSequenceIds = file.Ids("eos_token_id"),
            PaddingId = file.OptionalId("pad_token_id"),
        };
    }

    private static DecoderConfig ReadLlama(ConfigFile file) => new()
    {
        VocabularySize = file.Size("vocab_size"),
        ContextLength = file.Size("max_position_embeddings"),
        HiddenSize = file.Size("hidden_size"),
        Layers = file.Size("num_hidden_layers"),
        Heads = file.Size("num_attention_heads"),
        KeyValueHeads = file.OptionalSize("num_key_value_heads") ?? 0,
        HeadSize = file.OptionalSize("head_dim") ?? 0,
        FeedForwardSize = file.Size("intermediate_size"),
        Activation = ReadActivation(file, "hidden_act", "silu"),
        NormEpsilon = file.Number("rms_norm_eps", 1e-6),
        RotaryTheta = ReadTheta(file),
        AttentionBias = file.Flag("attention_bias", false),
        FeedForwardBias = file.Flag("mlp_bias", false),
        TiedEmbeddings = file.Flag("tie_word_embeddings", false),
        BeginOfSequenceId = file.OptionalId("bos_token_id"),
        EndOfSequenceIds = file.Ids("eos_token_id"),
        PaddingId = file.OptionalId("pad_token_id"),
    };

    // rope_theta stands at the top, or, since transformers 5, inside rope_parameters; rope_scaling is the older name of the latter.
    private static double ReadTheta(ConfigFile file)
    {
        var theta = file.Number("rope_theta", 10_000);
        foreach (var name in new[] { "rope_parameters", "rope_scaling" })
        {
            if (file.OptionalObject(name) is not { } parameters)
                continue;
            foreach (var key in new[] { "rope_type", "type" })
            {
                if (parameters.TryGetProperty(key, out var type) && !(type.ValueKind == JsonValueKind.String && type.ValueEquals("default")))
                    throw file.Error($"{name}.{key}", type.GetRawText(), "\"default\", the only supported kind");
            }

            if (parameters.TryGetProperty("rope_theta", out var given))
            {
                if (given.ValueKind != JsonValueKind.Number || !given.TryGetDouble(out theta))
                    throw file.Error($"{name}.rope_theta", given.GetRawText(), "a number");
            }
        }

        return theta;
    }

    private static Activation ReadActivation(ConfigFile file, string field, string otherwise)
    {
        var name = file.OptionalText(field) ?? otherwise;
        foreach (var row in ActivationNames)
        {
            if (row.Name == name)
                return row.Activation;
        }

        throw file.Error(field, $"'{name}'", "one of " + string.Join(", ", ActivationNames.Select(row => row.Name)));
    }

    private static void WriteGpt2(Utf8JsonWriter json, DecoderConfig config)
    {
        WriteArchitecture(json, "GPT2LMHeadModel", "gpt2");
        json.WriteString("activation_function", NameOf(config.Activation));
        json.WriteNumber("n_embd", config.HiddenSize);
        json.WriteNumber("n_head", config.Heads);
        json.WriteNumber("n_layer", config.Layers);
        json.WriteNumber("n_inner", config.FeedForwardSize);
        json.WriteNumber("n_positions", config.ContextLength);
        json.WriteNumber("layer_norm_epsilon", config.NormEpsilon);
        json.WriteBoolean("scale_attn_weights", config.ScaleAttention);
        // transformers drops out unless told not to; this model never does.
        foreach (var dropout in new[] { "attn_pdrop", "embd_pdrop", "resid_pdrop" })
            json.WriteNumber(dropout, 0.0);
    }

    private static void WriteLlama(Utf8JsonWriter json, DecoderConfig config)
    {
        WriteArchitecture(json, "LlamaForCausalLM", "llama");
        json.WriteString("hidden_act", NameOf(config.Activation));
        json.WriteNumber("hidden_size", config.HiddenSize);
        json.WriteNumber("intermediate_size", config.FeedForwardSize);
        json.WriteNumber("num_hidden_layers", config.Layers);
        json.WriteNumber("num_attention_heads", config.Heads);
        json.WriteNumber("num_key_value_heads", config.KeyValueHeads);
        json.WriteNumber("head_dim", config.HeadSize);
        json.WriteNumber("max_position_embeddings", config.ContextLength);
        json.WriteNumber("rms_norm_eps", config.NormEpsilon);
        json.WriteNumber("rope_theta", config.RotaryTheta!.Value);
        json.WriteBoolean("attention_bias", config.AttentionBias);
        json.WriteBoolean("mlp_bias", config.FeedForwardBias);
    }

    private static void WriteArchitecture(Utf8JsonWriter json, string architecture, string type)
    {
        json.WriteStartArray("architectures");
        json.WriteStringValue(architecture);
        json.WriteEndArray();
        json.WriteString("model_type", type);
    }

    private static string NameOf(Activation activation) => Array.Find(ActivationNames, row => row.Activation == activation).Name;

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

    /// <summary>Whether Hugging Face's architecture of this naming is what the configuration describes, so that it can be written; if not, why.</summary>
    public static string? WhyNotWritable(DecoderConfig config)
    {
        var gpt2 = config.Naming == ModuleNaming.Gpt2;
        if (gpt2 != (config.Normalization == Normalization.LayerNorm))
            return $"its normalisation is {config.Normalization}";
        if (gpt2 != (config.RotaryTheta is null))
            return config.RotaryTheta is null ? "its positions are learned" : "its positions are rotary";
        if (gpt2 != config.FusedProjections)
            return $"its projections are {(config.FusedProjections ? "fused" : "separate")}";
        if (gpt2 == config.GatedFeedForward)
            return $"its feed-forward layer is {(config.GatedFeedForward ? "gated" : "not gated")}";
        if (gpt2 && !(config.AttentionBias && config.FeedForwardBias))
            return "its projections have no bias";
        if (gpt2 && (config.KeyValueHeads != config.Heads || config.HeadSize * config.Heads != config.HiddenSize))
            return "its heads are grouped or do not fill the hidden size";
        return gpt2 || config.ScaleAttention ? null : "its attention is not scaled";
    }
}
