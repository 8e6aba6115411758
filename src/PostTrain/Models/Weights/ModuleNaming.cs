namespace PostTrain.Models;

/// <summary>The names of a <see cref="Decoder"/>'s modules. They are those of Hugging Face's implementations, so that checkpoints, adapters
/// and patterns such as <c>q_proj</c> or <c>c_attn</c> have the same meaning in both.</summary>
public enum ModuleNaming
{
    /// <summary><c>model.layers.0.self_attn.q_proj</c>, <c>model.layers.0.mlp.gate_proj</c>, <c>model.embed_tokens</c>,
    /// <c>lm_head</c>.</summary>
    Llama,

    /// <summary><c>transformer.h.0.attn.c_attn</c>, <c>transformer.h.0.mlp.c_fc</c>, <c>transformer.wte</c>, <c>transformer.wpe</c>,
    /// <c>lm_head</c>.</summary>
    Gpt2,
}
