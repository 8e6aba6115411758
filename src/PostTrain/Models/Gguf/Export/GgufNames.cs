using System.Text.RegularExpressions;

namespace PostTrain.Models.Gguf;

/// <summary>Names of the parts in GGUF files by their names in checkpoints of transformers.</summary>
internal static partial class GgufNames
{
    private static readonly Dictionary<string, string> Outside = new(StringComparer.Ordinal)
    {
        ["model.embed_tokens"] = "token_embd",
        ["model.norm"] = "output_norm",
        ["lm_head"] = "output",
        ["wte"] = "token_embd",
        ["wpe"] = "position_embd",
        ["ln_f"] = "output_norm",
    };

    private static readonly Dictionary<string, string> Inside = new(StringComparer.Ordinal)
    {
        ["input_layernorm"] = "attn_norm",
        ["self_attn.q_proj"] = "attn_q",
        ["self_attn.k_proj"] = "attn_k",
        ["self_attn.v_proj"] = "attn_v",
        ["self_attn.qkv_proj"] = "attn_qkv",
        ["self_attn.o_proj"] = "attn_output",
        ["self_attn.q_norm"] = "attn_q_norm",
        ["self_attn.k_norm"] = "attn_k_norm",
        ["pre_feedforward_layernorm"] = "ffn_norm",
        ["post_feedforward_layernorm"] = "post_ffw_norm",
        ["mlp.gate_proj"] = "ffn_gate",
        ["mlp.up_proj"] = "ffn_up",
        ["mlp.gate_up_proj"] = "ffn_up",
        ["mlp.down_proj"] = "ffn_down",
        ["ln_1"] = "attn_norm",
        ["attn.c_attn"] = "attn_qkv",
        ["attn.c_proj"] = "attn_output",
        ["ln_2"] = "ffn_norm",
        ["mlp.c_fc"] = "ffn_up",
        ["mlp.c_proj"] = "ffn_down",
    };

    /// <summary>The name in the file of a parameter, or null where it has none.</summary>
    internal static string? Of(string name, NormPlacement norms)
    {
        var plain = name.StartsWith("transformer.", StringComparison.Ordinal) ? name["transformer.".Length..] : name;
        var end = plain.LastIndexOf('.');
        if (end < 0 || plain[(end + 1)..] is not ("weight" or "bias"))
            return null;
        var (module, kind) = (plain[..end], plain[end..]);
        if (Outside.TryGetValue(module, out var outside))
            return outside + kind;
        var layer = Layer().Match(module);
        if (!layer.Success)
            return null;
        var part = layer.Groups["part"].Value;
        // The norm after attention stands before the feed-forward layer, unless that has norms of its own.
        var found =
            part == "post_attention_layernorm"
                ? norms == NormPlacement.BeforeAndAfter
                    ? "post_attention_norm"
                    : "ffn_norm"
                : Inside.GetValueOrDefault(part);
        return found is null ? null : $"blk.{layer.Groups["layer"].Value}.{found}{kind}";
    }

    [GeneratedRegex(@"^(model\.layers|h)\.(?<layer>\d+)\.(?<part>.+)$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Layer();
}
