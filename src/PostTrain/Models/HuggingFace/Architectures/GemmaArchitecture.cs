using System.Text.Json;

namespace PostTrain.Models.HuggingFace;

/// <summary>Gemma 1, and the common part of all Gemmas: norms of 1 + w, embeddings times √D, tanh-GELU, tied embeddings.</summary>
internal class GemmaArchitecture : RotaryArchitecture
{
    public override string ModelType => "gemma";

    public override string ClassName => "GemmaForCausalLM";

    protected override string ActivationField => "hidden_activation";

    protected override string DefaultActivation => "gelu_pytorch_tanh";

    protected override bool DefaultTied => true;

    public override DecoderConfig Read(ConfigFile file) => ReadGemma(file, 10_000);

    public override DecoderConfig Nearest(DecoderConfig config) =>
        base.Nearest(config) with
        {
            Normalization = Normalization.RmsNormOffset,
            EmbeddingScale = Math.Sqrt(config.HiddenSize),
            AttentionBias = config.AttentionBias,
            AttentionOutputBias = config.AttentionBias,
        };

    public override void Write(Utf8JsonWriter json, DecoderConfig config)
    {
        base.Write(json, config);
        // Under both names: versions of transformers read one or the other.
        json.WriteString("hidden_act", ActivationNames.Of(config.Activation));
        json.WriteBoolean("attention_bias", config.AttentionBias);
    }

    protected DecoderConfig ReadGemma(ConfigFile file, double theta)
    {
        RefuseTrue(file, "use_bidirectional_attention");
        var config = ReadSizes(file, theta, headSize: 256);
        // Gemma 1's first files have hidden_act with "gelu" for the tanh approximation.
        var activation = file.OptionalText(ActivationField) is null
            ? ActivationNames.Read(file, "hidden_act", DefaultActivation)
            : config.Activation;
        return config with
        {
            Activation = activation == Activation.Gelu && file.OptionalText(ActivationField) is null ? Activation.GeluTanh : activation,
            Normalization = Normalization.RmsNormOffset,
            EmbeddingScale = Math.Sqrt(config.HiddenSize),
            AttentionBias = file.Flag("attention_bias", false),
        };
    }
}
