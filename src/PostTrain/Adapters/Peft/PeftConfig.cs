using System.Text.Json;
using PostTrain.Models.HuggingFace;

namespace PostTrain.Adapters.Peft;

/// <summary>Reads and writes the fields of an adapter_config.json that methods share; each method adds its own.</summary>
internal static class PeftConfig
{
    /// <summary>The version written to files if none was loaded.</summary>
    public const string Version = "0.20.0";

    private static readonly IPeftMethod[] Methods =
    [
        new LoraConfig(),
        new AdaLoraConfig(),
        new Ia3Config(),
        new VeraConfig(),
        new LohaConfig(),
        new LokrConfig(),
        new NormTuningConfig(),
        new TokenTuningConfig(),
        new BitFitConfig(),
    ];

    /// <summary>True if a name is that of one of PEFT's methods.</summary>
    public static bool Knows(string type) => Methods.Any(method => method.Type == type);

    // Written by every version of PEFT, of no meaning to the numbers.
    private static readonly HashSet<string> Common =
    [
        "auto_mapping",
        "base_model_name_or_path",
        "inference_mode",
        "peft_type",
        "peft_version",
        "revision",
        "task_type",
    ];

    /// <summary>Reads the options from a file.</summary>
    /// <exception cref="InvalidDataException">A field is missing, wrong or unsupported; names the file, the field and the value
    /// expected.</exception>
    /// <param name="path">The file.</param>
    /// <param name="own">Options of a user's own method, where the file may name it.</param>
    public static AdapterOptions Read(string path, OwnAdapterOptions? own = null)
    {
        using var file = ConfigFile.Open(path);
        try
        {
            return Read(file, own);
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidOperationException)
        {
            throw new InvalidDataException($"{path}: {exception.Message}", exception);
        }
    }

    private static AdapterOptions Read(ConfigFile file, OwnAdapterOptions? own)
    {
        var type = file.Text("peft_type");
        var method =
            Methods.FirstOrDefault(method => method.Type == type)
            ?? (own?.Method == type ? new OwnConfig(own) : null)
            ?? throw file.Error("peft_type", $"'{type}'", "one of " + string.Join(", ", Methods.Select(method => method.Type)));
        foreach (var (name, value) in file.Fields())
        {
            if (Common.Contains(name) || method.Reads.Contains(name))
                continue;
            if (!IsNothing(value) && !(method.Ignored.TryGetValue(name, out var harmless) && value.ToString() == harmless))
                throw file.Error(name, Shortened(value), harmless is null ? "null, as this field's meaning is not supported" : harmless);
        }

        var options = method.Read(file) with
        {
            BaseModel = file.OptionalText("base_model_name_or_path"),
            TaskType = file.OptionalText("task_type"),
            PeftVersion = file.OptionalText("peft_version"),
        };
        options.Validate();
        return options;
    }

    /// <summary>Returns the file's text for these options.</summary>
    /// <param name="options">The adapter's options.</param>
    /// <param name="targets">The adapted modules, for options that list none.</param>
    /// <param name="transposed">True if the adapted layers are stored as [in,out].</param>
    public static string Write(AdapterOptions options, IReadOnlyList<string> targets, bool transposed)
    {
        var method = options is OwnAdapterOptions own ? new OwnConfig(own) : Methods.First(method => method.Type == options.Method);
        var fields = new Dictionary<string, object?>
        {
            ["auto_mapping"] = null,
            ["base_model_name_or_path"] = options.BaseModel,
            ["inference_mode"] = true,
            ["peft_type"] = options.Method,
            ["peft_version"] = options.PeftVersion ?? Version,
            ["revision"] = null,
            ["task_type"] = options.TaskType,
        };
        method.Write(options, fields, new PeftTargets(targets, transposed));
        return PythonJson.Write(fields);
    }

    private static bool IsNothing(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.Null or JsonValueKind.False => true,
            JsonValueKind.Array => value.GetArrayLength() == 0,
            JsonValueKind.Object => !value.EnumerateObject().Any(),
            _ => false,
        };

    private static string Shortened(JsonElement value)
    {
        var text = value.GetRawText();
        return text.Length <= 60 ? text : text[..60] + "...";
    }
}

/// <summary>The modules that an adapter changes.</summary>
internal readonly record struct PeftTargets(IReadOnlyList<string> Names, bool Transposed);

/// <summary>One method's part of the file.</summary>
internal interface IPeftMethod
{
    /// <summary>Its <c>peft_type</c>.</summary>
    string Type { get; }

    /// <summary>The fields that <see cref="Read"/> reads.</summary>
    IReadOnlySet<string> Reads { get; }

    /// <summary>Ignored fields with their only allowed value, as text.</summary>
    IReadOnlyDictionary<string, string> Ignored { get; }

    AdapterOptions Read(ConfigFile file);

    void Write(AdapterOptions options, Dictionary<string, object?> fields, PeftTargets targets);
}

/// <summary>The file of a user's own adapter: its name as the method, and the modules that it changes.</summary>
internal sealed class OwnConfig(OwnAdapterOptions own) : IPeftMethod
{
    public string Type => own.Method;

    public IReadOnlySet<string> Reads { get; } =
        new HashSet<string> { "target_modules", "exclude_modules", "modules_to_save", "layers_to_transform", "layers_pattern" };

    public IReadOnlyDictionary<string, string> Ignored { get; } = new Dictionary<string, string>();

    public AdapterOptions Read(ConfigFile file) => own.WithTargets(file);

    public void Write(AdapterOptions options, Dictionary<string, object?> fields, PeftTargets targets) =>
        PeftFields.AddTargets(fields, options, targets);
}
