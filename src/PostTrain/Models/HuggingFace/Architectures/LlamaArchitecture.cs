using System.Text.Json;

namespace PostTrain.Models.HuggingFace;

/// <summary>Llama 1 to 3: the plain decoder, with optional biases on all projections of attention or MLP.</summary>
internal sealed class LlamaArchitecture : RotaryArchitecture
{
    public override string ModelType => "llama";

    public override string ClassName => "LlamaForCausalLM";

    public override DecoderConfig Read(ConfigFile file) =>
        ReadSizes(file) with
        {
            AttentionBias = file.Flag("attention_bias", false),
            FeedForwardBias = file.Flag("mlp_bias", false),
        };

    public override DecoderConfig Nearest(DecoderConfig config) =>
        base.Nearest(config) with
        {
            AttentionBias = config.AttentionBias,
            AttentionOutputBias = config.AttentionBias,
            FeedForwardBias = config.FeedForwardBias,
        };

    public override void Write(Utf8JsonWriter json, DecoderConfig config)
    {
        base.Write(json, config);
        json.WriteBoolean("attention_bias", config.AttentionBias);
        json.WriteBoolean("mlp_bias", config.FeedForwardBias);
    }
}
