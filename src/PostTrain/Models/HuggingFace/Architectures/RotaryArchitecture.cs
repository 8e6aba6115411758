using System.Text.Json;

namespace PostTrain.Models.HuggingFace;

/// <summary>The common fields of Llama and its descendants.</summary>
internal abstract class RotaryArchitecture : Architecture
{
    /// <summary>Name of the activation's field.</summary>
    protected virtual string ActivationField => "hidden_act";

    /// <summary>The activation if the file names none.</summary>
    protected virtual string DefaultActivation => "silu";

    /// <summary>True if embeddings are tied by default.</summary>
    protected virtual bool DefaultTied => false;

    /// <summary>Reads sizes, activation, ε and tying; the attention of all layers has the file's rotary embedding.</summary>
    protected DecoderConfig ReadSizes(ConfigFile file, double theta = 10_000, int headSize = 0)
    {
        var vocabulary = file.Size("vocab_size");
        var (rotary, contextLength) = RopeParameters.Read(file, theta);
        return new DecoderConfig
        {
            VocabularySize = vocabulary,
            ContextLength = contextLength,
            HiddenSize = file.Size("hidden_size"),
            Layers = file.Size("num_hidden_layers"),
            Heads = file.Size("num_attention_heads"),
            KeyValueHeads = file.OptionalSize("num_key_value_heads") ?? 0,
            HeadSize = file.OptionalSize("head_dim") ?? headSize,
            FeedForwardSize = file.Size("intermediate_size"),
            Activation = ActivationNames.Read(file, ActivationField, DefaultActivation),
            NormEpsilon = file.Number("rms_norm_eps", 1e-6),
            TiedEmbeddings = file.Flag("tie_word_embeddings", DefaultTied),
            Attention = Uniform(rotary),
        };
    }

    /// <summary>Returns Llama's configuration; only sizes and rotary embedding are free.</summary>
    public override DecoderConfig Nearest(DecoderConfig config) =>
        config with
        {
            Naming = ModuleNaming.Llama,
            Normalization = Normalization.RmsNorm,
            NormPlacement = NormPlacement.Before,
            Attention = Uniform(config.Attention[0].Rotary ?? new RotarySpec()),
            FusedProjections = false,
            GatedFeedForward = true,
            AttentionBias = false,
            AttentionOutputBias = false,
            FeedForwardBias = false,
            EmbeddingScale = 1,
            LogitSoftCap = null,
        };

    public override void Write(Utf8JsonWriter json, DecoderConfig config)
    {
        json.WriteString(ActivationField, ActivationNames.Of(config.Activation));
        json.WriteNumber("hidden_size", config.HiddenSize);
        json.WriteNumber("intermediate_size", config.FeedForwardSize);
        json.WriteNumber("num_hidden_layers", config.Layers);
        json.WriteNumber("num_attention_heads", config.Heads);
        json.WriteNumber("num_key_value_heads", config.KeyValueHeads);
        json.WriteNumber("head_dim", config.HeadSize);
        json.WriteNumber("rms_norm_eps", config.NormEpsilon);
        RopeParameters.Write(json, MainRotary(config), config.ContextLength);
    }

    /// <summary>Returns the rotary embedding described by the file's rope fields.</summary>
    protected virtual RotarySpec MainRotary(DecoderConfig config) => config.Attention[0].Rotary!;
}
