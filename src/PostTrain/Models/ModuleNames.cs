namespace PostTrain.Models;

/// <summary>The names of a decoder's parts under one <see cref="ModuleNaming"/>.</summary>
internal sealed record ModuleNames(
    string Backbone, string Tokens, string Positions, string Layers, string FinalNorm, string Head,
    string AttentionNorm, string Attention, string FeedForwardNorm, string FeedForward,
    string Fused, string Query, string Key, string Value, string AttentionOutput,
    string Gate, string Up, string Down)
{
    private static readonly ModuleNames Llama = new(
        "model", "embed_tokens", "embed_positions", "layers", "norm", "lm_head",
        "input_layernorm", "self_attn", "post_attention_layernorm", "mlp",
        "qkv_proj", "q_proj", "k_proj", "v_proj", "o_proj",
        "gate_proj", "up_proj", "down_proj");

    private static readonly ModuleNames Gpt2 = new(
        "transformer", "wte", "wpe", "h", "ln_f", "lm_head",
        "ln_1", "attn", "ln_2", "mlp",
        "c_attn", "q_attn", "k_attn", "v_attn", "c_proj",
        "c_gate", "c_fc", "c_proj");

    public static ModuleNames Of(ModuleNaming naming) => naming == ModuleNaming.Gpt2 ? Gpt2 : Llama;
}
