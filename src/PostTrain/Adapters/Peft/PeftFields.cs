using System.Text.Json;
using PostTrain.Models.HuggingFace;

namespace PostTrain.Adapters.Peft;

/// <summary>Reads and writes the field types of PEFT's configurations.</summary>
internal static class PeftFields
{
    private const int MaximumNames = 100_000;

    /// <summary>Reads a list of names, a regular expression, "all-linear", or null.</summary>
    public static ModuleSelection? Selection(this ConfigFile file, string name)
    {
        if (file.Value(name) is not { } value)
            return null;
        if (value.ValueKind != JsonValueKind.String)
            return ModuleSelection.Named(file.Texts(name)!.ToArray());
        var text = file.Text(name);
        if (text.Length == 0)
            throw file.Error(name, "''", "a name, a list of names or a regular expression");
        return text == "all-linear" ? ModuleSelection.AllLinear : ModuleSelection.Matching(text);
    }

    /// <summary>Reads a list of texts, or null. A single text is a list of one.</summary>
    public static IReadOnlyList<string>? Texts(this ConfigFile file, string name)
    {
        if (file.Value(name) is not { } value)
            return null;
        if (value.ValueKind == JsonValueKind.String)
            return [file.Text(name)];
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() > MaximumNames)
            throw file.Error(name, value.ValueKind.ToString(), $"a list of at most {MaximumNames} texts");
        return
        [
            .. value
                .EnumerateArray()
                .Select(item =>
                    item.ValueKind == JsonValueKind.String && Text(item) is { Length: > 0 } text
                        ? text
                        : throw file.Error(name, item.GetRawText(), "texts that are not empty")
                ),
        ];
    }

    /// <summary>Reads a dictionary of numbers; empty if there is none.</summary>
    public static Dictionary<string, double> Numbers(this ConfigFile file, string name)
    {
        var found = new Dictionary<string, double>(StringComparer.Ordinal);
        if (file.OptionalObject(name) is not { } value)
            return found;
        foreach (var item in value.EnumerateObject())
        {
            if (item.Value.ValueKind != JsonValueKind.Number || !item.Value.TryGetDouble(out var number) || !double.IsFinite(number))
                throw file.Error(name, item.Value.GetRawText(), "finite numbers");
            found[item.Name] = number;
        }

        return found;
    }

    public static double Positive(this ConfigFile file, string name, double otherwise) =>
        file.Number(name, otherwise) is var number && number > 0
            ? number
            : throw file.Error(name, number.ToString(System.Globalization.CultureInfo.InvariantCulture), "a number above 0");

    public static AdapterBias Bias(this ConfigFile file) =>
        file.OptionalText("bias") switch
        {
            null or "none" => AdapterBias.None,
            "all" => AdapterBias.All,
            "lora_only" or "vera_only" => AdapterBias.Adapted,
            var other => throw file.Error("bias", $"'{other}'", "none, all or lora_only"),
        };

    /// <summary>Reads the ranks of single modules.</summary>
    public static Dictionary<string, int> Ranks(this ConfigFile file) =>
        file.Numbers("rank_pattern")
            .ToDictionary(
                item => item.Key,
                item =>
                    (int)item.Value is var rank && rank == item.Value
                        ? rank
                        : throw file.Error(
                            "rank_pattern",
                            item.Value.ToString(System.Globalization.CultureInfo.InvariantCulture),
                            "positive integers"
                        ),
                StringComparer.Ordinal
            );

    /// <summary>Adds the fields of a rank and a scale.</summary>
    public static void AddRanks(Dictionary<string, object?> fields, LowRankOptions options, string alpha = "alpha")
    {
        fields["r"] = options.Rank;
        fields[alpha] = Plain(options.Alpha);
        fields["rank_pattern"] = Dictionary(options.RankPattern, rank => rank);
        fields["alpha_pattern"] = Dictionary(options.AlphaPattern, Plain);
    }

    /// <summary>Reads the fields that all methods with targets share.</summary>
    public static T WithTargets<T>(this T options, ConfigFile file)
        where T : AdapterOptions =>
        options with
        {
            Targets = file.Selection("target_modules"),
            Exclude = file.Selection("exclude_modules"),
            ModulesToSave = file.Texts("modules_to_save") ?? [],
            Layers = file.Ids("layers_to_transform"),
            LayersPattern = file.Texts("layers_pattern") ?? [],
        };

    /// <summary>Returns an integer if the number is one, as Python keeps the user's notation.</summary>
    public static object Plain(double value) => value == Math.Floor(value) && Math.Abs(value) < int.MaxValue ? (object)(int)value : value;

    public static object? List(IReadOnlyList<string> texts) => texts.Count == 0 ? null : texts.Cast<object?>().ToList();

    public static object? List(ModuleSelection? selection, IReadOnlyList<string> found) =>
        selection switch
        {
            null => null,
            { Pattern: { } pattern } => pattern,
            { IsAllLinear: true } => found.Cast<object?>().ToList(),
            _ => selection.Cast<object?>().ToList(),
        };

    public static Dictionary<string, object?> Dictionary<T>(IReadOnlyDictionary<string, T> values, Func<T, object?> convert) =>
        values.ToDictionary(item => item.Key, item => convert(item.Value), StringComparer.Ordinal);

    /// <summary>Adds the fields of <see cref="WithTargets"/>.</summary>
    public static void AddTargets(
        Dictionary<string, object?> fields,
        AdapterOptions options,
        PeftTargets targets,
        bool exclude = true,
        bool layers = true
    )
    {
        fields["target_modules"] = List(options.Targets, targets.Names);
        fields["modules_to_save"] = List(options.ModulesToSave);
        if (exclude)
            fields["exclude_modules"] = List(options.Exclude, []);
        if (!layers)
            return;
        fields["layers_to_transform"] = options.Layers.Count == 0 ? null : options.Layers.Select(layer => (object?)layer).ToList();
        fields["layers_pattern"] = List(options.LayersPattern);
    }

    private static string? Text(JsonElement item)
    {
        try
        {
            return item.GetString();
        }
        catch (InvalidOperationException)
        {
            // An unpaired surrogate.
            return null;
        }
    }
}
