using System.Text.Json;
using PostTrain.Models.HuggingFace;

namespace PostTrain.Adapters.Peft;

/// <summary>PEFT's AdaLoraConfig, which includes LoRA's fields.</summary>
internal sealed class AdaLoraConfig : IPeftMethod
{
    public string Type => "ADALORA";

    public IReadOnlySet<string> Reads { get; } =
        new HashSet<string>
        {
            "r",
            "init_r",
            "target_r",
            "lora_alpha",
            "lora_dropout",
            "bias",
            "tinit",
            "tfinal",
            "deltaT",
            "total_step",
            "beta1",
            "beta2",
            "orth_reg_weight",
            "rank_pattern",
            "init_lora_weights",
            "fan_in_fan_out",
            "target_modules",
            "exclude_modules",
            "modules_to_save",
            "layers_to_transform",
            "layers_pattern",
        };

    public IReadOnlyDictionary<string, string> Ignored { get; } =
        new Dictionary<string, string> { ["megatron_core"] = "megatron.core", ["qalora_group_size"] = "16" };

    public AdapterOptions Read(ConfigFile file) =>
        new AdaLoraOptions
        {
            FileRank = file.OptionalSize("r") ?? 8,
            InitialRank = file.OptionalSize("init_r") ?? 12,
            TargetRank = file.OptionalSize("target_r") ?? 8,
            Alpha = file.Positive("lora_alpha", 8),
            Dropout = file.Number("lora_dropout", 0),
            Bias = file.Bias(),
            WarmupSteps = Count(file, "tinit", 0),
            FinalSteps = Count(file, "tfinal", 0),
            Interval = Count(file, "deltaT", 1),
            TotalSteps = Count(file, "total_step", 0),
            Beta1 = file.Number("beta1", 0.85),
            Beta2 = file.Number("beta2", 0.85),
            OrthogonalityWeight = file.Number("orth_reg_weight", 0.5),
            Kept = Kept(file),
        }.WithTargets(file);

    public void Write(AdapterOptions options, Dictionary<string, object?> fields, PeftTargets targets)
    {
        var ada = (AdaLoraOptions)options;
        LoraConfig.AddCommon(fields);
        PeftFields.AddTargets(fields, options, targets);
        fields["r"] = ada.FileRank;
        fields["init_r"] = ada.InitialRank;
        fields["target_r"] = ada.TargetRank;
        fields["lora_alpha"] = PeftFields.Plain(ada.Alpha);
        fields["lora_dropout"] = ada.Dropout;
        fields["bias"] = LoraConfig.BiasName(ada.Bias);
        fields["tinit"] = ada.WarmupSteps;
        fields["tfinal"] = ada.FinalSteps;
        fields["deltaT"] = ada.Interval;
        fields["total_step"] = ada.TotalSteps == 0 ? null : ada.TotalSteps;
        fields["beta1"] = ada.Beta1;
        fields["beta2"] = ada.Beta2;
        fields["orth_reg_weight"] = ada.OrthogonalityWeight;
        fields["rank_pattern"] = ada.Kept is { } kept
            ? PeftFields.Dictionary(kept, flags => flags.Select(flag => (object?)flag).ToList())
            : null;
        fields["alpha_pattern"] = new Dictionary<string, object?>();
        fields["init_lora_weights"] = true;
        fields["fan_in_fan_out"] = targets.Transposed;
        fields["lora_bias"] = false;
        fields["trainable_token_indices"] = null;
        fields["use_dora"] = false;
        fields["use_rslora"] = false;
    }

    private static int Count(ConfigFile file, string name, int otherwise) =>
        file.Number(name, otherwise) is var number && number >= 0 && number <= int.MaxValue && number == Math.Floor(number)
            ? (int)number
            : throw file.Error(name, file.Value(name)?.GetRawText() ?? "null", "an integer of at least 0");

    // Flags of the kept directions; the key is a layer's name and .lora_E.
    private static Dictionary<string, bool[]>? Kept(ConfigFile file)
    {
        if (file.OptionalObject("rank_pattern") is not { } value)
            return null;
        var kept = new Dictionary<string, bool[]>(StringComparer.Ordinal);
        foreach (var item in value.EnumerateObject())
        {
            if (
                item.Value.ValueKind != JsonValueKind.Array
                || item.Value.EnumerateArray().Any(flag => flag.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
            )
                throw file.Error("rank_pattern", item.Value.ValueKind.ToString(), "lists of true and false");
            kept[item.Name] = [.. item.Value.EnumerateArray().Select(flag => flag.GetBoolean())];
        }

        return kept.Count == 0 ? null : kept;
    }
}
