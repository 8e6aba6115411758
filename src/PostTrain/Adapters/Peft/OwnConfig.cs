using PostTrain.Models.HuggingFace;

namespace PostTrain.Adapters.Peft;

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
