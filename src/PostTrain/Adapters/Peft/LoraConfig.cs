using System.Globalization;
using System.Text.Json;
using PostTrain.Models.HuggingFace;

namespace PostTrain.Adapters.Peft;

/// <summary>PEFT's LoraConfig.</summary>
internal sealed class LoraConfig : IPeftMethod
{
    public string Type => "LORA";

    public IReadOnlySet<string> Reads { get; } =
        new HashSet<string>
        {
            "r",
            "lora_alpha",
            "lora_dropout",
            "use_rslora",
            "use_dora",
            "bias",
            "lora_bias",
            "rank_pattern",
            "alpha_pattern",
            "init_lora_weights",
            "fan_in_fan_out",
            "target_modules",
            "exclude_modules",
            "modules_to_save",
            "layers_to_transform",
            "layers_pattern",
            "trainable_token_indices",
        };

    public IReadOnlyDictionary<string, string> Ignored { get; } =
        new Dictionary<string, string> { ["megatron_core"] = "megatron.core", ["qalora_group_size"] = "16" };

    public AdapterOptions Read(ConfigFile file) =>
        new LoraOptions
        {
            Rank = file.Size("r"),
            Alpha = file.Positive("lora_alpha", 8),
            Dropout = file.Number("lora_dropout", 0),
            RankStabilized = file.Flag("use_rslora", false),
            WeightDecomposed = file.Flag("use_dora", false),
            Bias = file.Bias(),
            OwnBias = file.Flag("lora_bias", false),
            RankPattern = file.Ranks(),
            AlphaPattern = file.Numbers("alpha_pattern"),
            Initialization = Start(file),
            Tokens = Tokens(file),
        }.WithTargets(file);

    public void Write(AdapterOptions options, Dictionary<string, object?> fields, PeftTargets targets)
    {
        var lora = (LoraOptions)options;
        AddCommon(fields);
        PeftFields.AddTargets(fields, options, targets);
        PeftFields.AddRanks(fields, lora, "lora_alpha");
        fields["lora_dropout"] = lora.Dropout;
        fields["use_rslora"] = lora.RankStabilized;
        fields["use_dora"] = lora.WeightDecomposed;
        fields["bias"] = BiasName(lora.Bias);
        fields["lora_bias"] = lora.OwnBias;
        fields["init_lora_weights"] = lora.Initialization.Name switch
        {
            "true" => true,
            "false" => false,
            var name => name,
        };
        fields["fan_in_fan_out"] = targets.Transposed;
        var ids = lora.Tokens.Ids.Select(id => (object?)id).ToList();
        fields["trainable_token_indices"] =
            ids.Count == 0 ? null
            : lora.Tokens.Module is { } module ? new Dictionary<string, object?> { [module] = ids }
            : ids;
    }

    /// <summary>Adds the remaining fields of LoRA's configuration, which AdaLoRA's inherits.</summary>
    internal static void AddCommon(Dictionary<string, object?> fields)
    {
        foreach (
            var name in new[]
            {
                "alora_invocation_tokens",
                "arrow_config",
                "corda_config",
                "eva_config",
                "kasa_config",
                "layer_replication",
                "lora_ga_config",
                "megatron_config",
                "monteclora_config",
                "target_parameters",
                "use_bdlora",
                "velora_config",
            }
        )
        {
            fields[name] = null;
        }

        fields["ensure_weight_tying"] = false;
        fields["loftq_config"] = new Dictionary<string, object?>();
        fields["megatron_core"] = "megatron.core";
        fields["qalora_group_size"] = 16;
        fields["use_qalora"] = false;
    }

    internal static string BiasName(AdapterBias bias) =>
        bias switch
        {
            AdapterBias.All => "all",
            AdapterBias.Adapted => "lora_only",
            _ => "none",
        };

    private static LoraInitialization Start(ConfigFile file)
    {
        if (file.Value("init_lora_weights") is not { } value || value.ValueKind == JsonValueKind.True)
            return LoraInitialization.Default;
        if (value.ValueKind == JsonValueKind.False)
            return LoraInitialization.Random;
        const string Iterated = "pissa_niter_";
        return file.Text("init_lora_weights") switch
        {
            "gaussian" => LoraInitialization.Gaussian,
            "orthogonal" => LoraInitialization.Orthogonal,
            "pissa" => LoraInitialization.Pissa,
            "olora" => LoraInitialization.Olora,
            var name
                when name.StartsWith(Iterated, StringComparison.Ordinal)
                    && int.TryParse(name.AsSpan(Iterated.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var count)
                    && count is >= 1 and <= 1000 => LoraInitialization.FastPissa(count),
            var other => throw file.Error(
                "init_lora_weights",
                $"'{other}'",
                "true, false, gaussian, orthogonal, pissa, pissa_niter_N or olora"
            ),
        };
    }

    // A list, or a dictionary with one embedding's name.
    private static TrainableTokens Tokens(ConfigFile file)
    {
        const string Field = "trainable_token_indices";
        if (file.Value(Field) is not { } value)
            return TrainableTokens.None;
        if (value.ValueKind != JsonValueKind.Object)
            return new TrainableTokens { Ids = file.Ids(Field) };
        var embeddings = value.EnumerateObject().ToArray();
        if (embeddings.Length != 1 || embeddings[0].Value.ValueKind != JsonValueKind.Array)
            throw file.Error(Field, $"an object of {embeddings.Length}", "a list of token ids, or one embedding's name with such a list");
        return new TrainableTokens
        {
            Module = embeddings[0].Name,
            Ids =
            [
                .. embeddings[0]
                    .Value.EnumerateArray()
                    .Select(item =>
                        item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out var id) && id >= 0
                            ? id
                            : throw file.Error(Field, item.GetRawText(), "token ids")
                    ),
            ],
        };
    }
}
