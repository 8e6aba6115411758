using System.Globalization;
using System.Text.Json;
using PostTrain.Models.HuggingFace;

namespace PostTrain.Adapters.Peft;

/// <summary>PEFT's IA3Config.</summary>
internal sealed class Ia3Config : IPeftMethod
{
    public string Type => "IA3";

    public IReadOnlySet<string> Reads { get; } =
        new HashSet<string>
        {
            "target_modules",
            "exclude_modules",
            "modules_to_save",
            "feedforward_modules",
            "fan_in_fan_out",
            "init_ia3_weights",
        };

    public IReadOnlyDictionary<string, string> Ignored { get; } = new Dictionary<string, string>();

    public AdapterOptions Read(ConfigFile file) =>
        new Ia3Options
        {
            FeedForward = file.Selection("feedforward_modules") is { IsEmpty: false } given ? given : null,
            RandomStart = !file.Flag("init_ia3_weights", true),
        }.WithTargets(file);

    public void Write(AdapterOptions options, Dictionary<string, object?> fields, PeftTargets targets)
    {
        var ia3 = (Ia3Options)options;
        PeftFields.AddTargets(fields, options, targets, layers: false);
        fields["feedforward_modules"] = PeftFields.List(ia3.FeedForward, []) ?? new List<object?>();
        fields["fan_in_fan_out"] = targets.Transposed;
        fields["init_ia3_weights"] = !ia3.RandomStart;
    }
}

/// <summary>PEFT's VeraConfig.</summary>
internal sealed class VeraConfig : IPeftMethod
{
    public string Type => "VERA";

    public IReadOnlySet<string> Reads { get; } =
        new HashSet<string>
        {
            "r",
            "projection_prng_key",
            "save_projection",
            "vera_dropout",
            "d_initial",
            "bias",
            "fan_in_fan_out",
            "init_weights",
            "target_modules",
            "modules_to_save",
            "layers_to_transform",
            "layers_pattern",
        };

    public IReadOnlyDictionary<string, string> Ignored { get; } = new Dictionary<string, string>();

    public AdapterOptions Read(ConfigFile file) =>
        new VeraOptions
        {
            Rank = file.Size("r"),
            ProjectionSeed = (int)file.Number("projection_prng_key", 0),
            SaveProjection = file.Flag("save_projection", true),
            Dropout = file.Number("vera_dropout", 0),
            InitialScale = file.Number("d_initial", 0.1),
            Bias = file.Bias(),
        }.WithTargets(file);

    public void Write(AdapterOptions options, Dictionary<string, object?> fields, PeftTargets targets)
    {
        var vera = (VeraOptions)options;
        PeftFields.AddTargets(fields, options, targets, exclude: false);
        fields["r"] = vera.Rank;
        fields["projection_prng_key"] = vera.ProjectionSeed;
        fields["save_projection"] = vera.SaveProjection;
        fields["vera_dropout"] = vera.Dropout;
        fields["d_initial"] = vera.InitialScale;
        fields["bias"] = vera.Bias == AdapterBias.Adapted ? "vera_only" : LoraConfig.BiasName(vera.Bias);
        fields["fan_in_fan_out"] = targets.Transposed;
        fields["init_weights"] = true;
    }
}

/// <summary>PEFT's LoHaConfig.</summary>
internal sealed class LohaConfig : IPeftMethod
{
    public string Type => "LOHA";

    public IReadOnlySet<string> Reads { get; } =
        new HashSet<string>
        {
            "r",
            "alpha",
            "rank_dropout",
            "module_dropout",
            "rank_pattern",
            "alpha_pattern",
            "init_weights",
            "target_modules",
            "exclude_modules",
            "modules_to_save",
            "layers_to_transform",
            "layers_pattern",
            "use_effective_conv2d",
        };

    public IReadOnlyDictionary<string, string> Ignored { get; } = new Dictionary<string, string>();

    public AdapterOptions Read(ConfigFile file) =>
        new LohaOptions
        {
            Rank = file.Size("r"),
            Alpha = file.Positive("alpha", 8),
            RankDropout = file.Number("rank_dropout", 0),
            ModuleDropout = file.Number("module_dropout", 0),
            RankPattern = file.Ranks(),
            AlphaPattern = file.Numbers("alpha_pattern"),
            RandomStart = !file.Flag("init_weights", true),
        }.WithTargets(file);

    public void Write(AdapterOptions options, Dictionary<string, object?> fields, PeftTargets targets)
    {
        var loha = (LohaOptions)options;
        PeftFields.AddTargets(fields, options, targets);
        PeftFields.AddRanks(fields, loha);
        fields["rank_dropout"] = loha.RankDropout;
        fields["module_dropout"] = loha.ModuleDropout;
        fields["init_weights"] = !loha.RandomStart;
        fields["use_effective_conv2d"] = false;
    }
}

/// <summary>PEFT's LoKrConfig.</summary>
internal sealed class LokrConfig : IPeftMethod
{
    public string Type => "LOKR";

    public IReadOnlySet<string> Reads { get; } =
        new HashSet<string>
        {
            "r",
            "alpha",
            "rank_dropout",
            "rank_dropout_scale",
            "module_dropout",
            "rank_pattern",
            "alpha_pattern",
            "init_weights",
            "decompose_both",
            "decompose_factor",
            "target_modules",
            "exclude_modules",
            "modules_to_save",
            "layers_to_transform",
            "layers_pattern",
            "use_effective_conv2d",
        };

    public IReadOnlyDictionary<string, string> Ignored { get; } = new Dictionary<string, string>();

    public AdapterOptions Read(ConfigFile file) =>
        new LokrOptions
        {
            Rank = file.Size("r"),
            Alpha = file.Positive("alpha", 8),
            RankDropout = file.Number("rank_dropout", 0),
            ScaleRankDropout = file.Flag("rank_dropout_scale", false),
            ModuleDropout = file.Number("module_dropout", 0),
            RankPattern = file.Ranks(),
            AlphaPattern = file.Numbers("alpha_pattern"),
            DecomposeBoth = file.Flag("decompose_both", false),
            Factor = (int)file.Number("decompose_factor", -1),
            Start = file.Value("init_weights") switch
            {
                { ValueKind: JsonValueKind.False } => LokrStart.Random,
                { ValueKind: JsonValueKind.String } => file.Text("init_weights") == "lycoris"
                    ? LokrStart.Right
                    : throw file.Error("init_weights", "another text", "true, false or lycoris"),
                _ => LokrStart.Left,
            },
        }.WithTargets(file);

    public void Write(AdapterOptions options, Dictionary<string, object?> fields, PeftTargets targets)
    {
        var lokr = (LokrOptions)options;
        PeftFields.AddTargets(fields, options, targets);
        PeftFields.AddRanks(fields, lokr);
        fields["rank_dropout"] = lokr.RankDropout;
        fields["rank_dropout_scale"] = lokr.ScaleRankDropout;
        fields["module_dropout"] = lokr.ModuleDropout;
        fields["decompose_both"] = lokr.DecomposeBoth;
        fields["decompose_factor"] = lokr.Factor;
        fields["init_weights"] = lokr.Start switch
        {
            LokrStart.Left => true,
            LokrStart.Random => false,
            _ => "lycoris",
        };
        fields["use_effective_conv2d"] = false;
    }
}

/// <summary>PEFT's LNTuningConfig.</summary>
internal sealed class NormTuningConfig : IPeftMethod
{
    public string Type => "LN_TUNING";

    public IReadOnlySet<string> Reads { get; } = new HashSet<string> { "target_modules", "exclude_modules", "modules_to_save" };

    public IReadOnlyDictionary<string, string> Ignored { get; } = new Dictionary<string, string>();

    public AdapterOptions Read(ConfigFile file) => new NormTuningOptions().WithTargets(file);

    public void Write(AdapterOptions options, Dictionary<string, object?> fields, PeftTargets targets)
    {
        PeftFields.AddTargets(fields, options, targets, layers: false);
        fields["target_modules"] ??= targets.Names.Cast<object?>().ToList();
    }
}

/// <summary>PEFT's TrainableTokensConfig.</summary>
internal sealed class TokenTuningConfig : IPeftMethod
{
    public string Type => "TRAINABLE_TOKENS";

    public IReadOnlySet<string> Reads { get; } = new HashSet<string> { "target_modules", "token_indices", "init_weights" };

    public IReadOnlyDictionary<string, string> Ignored { get; } = new Dictionary<string, string>();

    public AdapterOptions Read(ConfigFile file) =>
        new TokenTuningOptions { Ids = file.Ids("token_indices"), Targets = file.Selection("target_modules") };

    public void Write(AdapterOptions options, Dictionary<string, object?> fields, PeftTargets targets)
    {
        fields["target_modules"] = PeftFields.List(options.Targets, targets.Names) ?? targets.Names[0];
        fields["token_indices"] = ((TokenTuningOptions)options).Ids.Select(id => (object?)id).ToList();
        fields["init_weights"] = true;
    }
}

/// <summary>The library's own type: PEFT has no BitFit.</summary>
internal sealed class BitFitConfig : IPeftMethod
{
    public string Type => "BITFIT";

    public IReadOnlySet<string> Reads { get; } = new HashSet<string> { "target_modules", "exclude_modules" };

    public IReadOnlyDictionary<string, string> Ignored { get; } = new Dictionary<string, string>();

    public AdapterOptions Read(ConfigFile file) =>
        new BitFitOptions { Targets = file.Selection("target_modules"), Exclude = file.Selection("exclude_modules") };

    public void Write(AdapterOptions options, Dictionary<string, object?> fields, PeftTargets targets)
    {
        fields["target_modules"] = PeftFields.List(options.Targets, targets.Names);
        fields["exclude_modules"] = PeftFields.List(options.Exclude, []);
    }
}
