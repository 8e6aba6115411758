namespace PostTrain.Models;

/// <summary>The names of a decoder's parts under one <see cref="ModuleNaming"/>.</summary>
internal sealed record ModuleNames(
    string Backbone,
    string Tokens,
    string Positions,
    string Layers,
    string FinalNorm,
    string Head,
    string AttentionNorm,
    string Attention,
    string FeedForwardNorm,
    string FeedForward,
    string Fused,
    string Query,
    string Key,
    string Value,
    string AttentionOutput,
    string GateUp,
    string Gate,
    string Up,
    string Down
)
{
    private static readonly ModuleNames Llama = new(
        "model",
        "embed_tokens",
        "embed_positions",
        "layers",
        "norm",
        "lm_head",
        "input_layernorm",
        "self_attn",
        "post_attention_layernorm",
        "mlp",
        "qkv_proj",
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_up_proj",
        "gate_proj",
        "up_proj",
        "down_proj"
    );

    // With norms on both sides, Llama's name of the second norm is the name of the norm after attention.
    private static readonly ModuleNames LlamaBothSides = Llama with
    {
        AttentionAfterNorm = "post_attention_layernorm",
        FeedForwardNorm = "pre_feedforward_layernorm",
    };

    private static readonly ModuleNames Gpt2 = new(
        "transformer",
        "wte",
        "wpe",
        "h",
        "ln_f",
        "lm_head",
        "ln_1",
        "attn",
        "ln_2",
        "mlp",
        "c_attn",
        "q_attn",
        "k_attn",
        "v_attn",
        "c_proj",
        "c_gate_fc",
        "c_gate",
        "c_fc",
        "c_proj"
    );

    public string AttentionAfterNorm { get; private init; } = "attention_after_norm";

    public string FeedForwardAfterNorm { get; } = "post_feedforward_layernorm";

    public string QueryNorm { get; } = "q_norm";

    public string KeyNorm { get; } = "k_norm";

    /// <summary>Returns the names in a layer, which depend on the position of its norms.</summary>
    public static ModuleNames Of(DecoderConfig config) =>
        config.Naming == ModuleNaming.Llama && config.NormPlacement == NormPlacement.BeforeAndAfter ? LlamaBothSides : Of(config.Naming);

    public static ModuleNames Of(ModuleNaming naming) => naming == ModuleNaming.Gpt2 ? Gpt2 : Llama;
}
