using System.Text.Json;

namespace PostTrain.Models.HuggingFace;

/// <summary>GPT-2: layer norm, learned positions, one projection with bias for queries, keys and values.</summary>
internal sealed class Gpt2Architecture : Architecture
{
    public override string ModelType => "gpt2";

    public override string ClassName => "GPT2LMHeadModel";

    public override DecoderConfig Read(ConfigFile file)
    {
        RefuseTrue(file, "add_cross_attention", "scale_attn_by_inverse_layer_idx");
        var config = DecoderConfig.Gpt2(
            file.Size("vocab_size"),
            file.Size("n_positions"),
            file.Size("n_embd"),
            file.Size("n_layer"),
            file.Size("n_head")
        );
        return config with
        {
            FeedForwardSize = file.OptionalSize("n_inner") ?? 0,
            Activation = ActivationNames.Read(file, "activation_function", "gelu_new"),
            NormEpsilon = file.Number("layer_norm_epsilon", 1e-5),
            Attention = Layers(file.Flag("scale_attn_weights", true) ? null : 1),
            TiedEmbeddings = file.Flag("tie_word_embeddings", true),
        };
    }

    public override DecoderConfig Nearest(DecoderConfig config) =>
        config with
        {
            Naming = ModuleNaming.Gpt2,
            Normalization = Normalization.LayerNorm,
            NormPlacement = NormPlacement.Before,
            Attention = Layers(config.Attention[0].Scale == 1 ? 1 : null),
            FusedProjections = true,
            GatedFeedForward = false,
            AttentionBias = true,
            AttentionOutputBias = true,
            FeedForwardBias = true,
            EmbeddingScale = 1,
            LogitSoftCap = null,
            KeyValueHeads = config.Heads,
            HeadSize = Math.Max(1, config.HiddenSize / config.Heads),
        };

    public override void Write(Utf8JsonWriter json, DecoderConfig config)
    {
        json.WriteString("activation_function", ActivationNames.Of(config.Activation));
        json.WriteNumber("n_embd", config.HiddenSize);
        json.WriteNumber("n_head", config.Heads);
        json.WriteNumber("n_layer", config.Layers);
        json.WriteNumber("n_inner", config.FeedForwardSize);
        json.WriteNumber("n_positions", config.ContextLength);
        json.WriteNumber("layer_norm_epsilon", config.NormEpsilon);
        json.WriteBoolean("scale_attn_weights", config.Attention[0].Scale is null);
        // transformers applies dropout by default; this model never does.
        foreach (var dropout in new[] { "attn_pdrop", "embd_pdrop", "resid_pdrop" })
            json.WriteNumber(dropout, 0.0);
    }

    private static AttentionLayers Layers(double? scale) => [new AttentionSpec { Rotary = null, Scale = scale }];
}
