using System.Text.Json;

namespace PostTrain.Models.HuggingFace;

/// <summary>The rotary embedding in config.json, in both of its forms: <c>rope_theta</c> and <c>rope_scaling</c> at the top level, or,
/// since transformers 5, <c>rope_parameters</c> with an entry for each layer type if they differ. Both forms are read; the first, which
/// both versions understand, is written.</summary>
internal static class RopeParameters
{
    private const string FullLayers = "full_attention";
    private const string SlidingLayers = "sliding_attention";

    /// <summary>Reads the rotary embedding of the layers without a window, and the context length.</summary>
    public static (RotarySpec Rotary, int ContextLength) Read(ConfigFile file, double theta)
    {
        var trained = file.Size("max_position_embeddings");
        var rotary = new RotarySpec { Theta = file.Number("rope_theta", theta), Fraction = file.Number("partial_rotary_factor", 1) };
        if (Section(file, FullLayers) is { } section)
            rotary = new RopeSection(file, section.Name, section.Value).Read(rotary, trained);
        // Only these two types extend the length given in the file.
        var length = rotary.Scaling switch
        {
            DynamicScaling dynamic => dynamic.Factor * dynamic.OriginalLength,
            YarnScaling yarn => yarn.Factor * yarn.OriginalLength,
            _ => trained,
        };
        return (rotary, (int)Math.Clamp(length, trained, int.MaxValue));
    }

    /// <summary>Reads the rotary embedding of the layers with a window, if it is different.</summary>
    public static RotarySpec ReadLocal(ConfigFile file, double theta)
    {
        var rotary = new RotarySpec { Theta = file.Number("rope_local_base_freq", theta) };
        return ByLayer(file, SlidingLayers) is { } section
            ? new RopeSection(file, section.Name, section.Value).Read(rotary, file.Size("max_position_embeddings"))
            : rotary;
    }

    /// <summary>Writes the context length and the rotary embedding.</summary>
    public static void Write(Utf8JsonWriter json, RotarySpec rotary, int contextLength)
    {
        // Dynamic scaling reads its original length from here.
        json.WriteNumber("max_position_embeddings", rotary.Scaling is DynamicScaling dynamic ? dynamic.OriginalLength : contextLength);
        json.WriteNumber("rope_theta", rotary.Theta);
        if (rotary.Fraction != 1)
            json.WriteNumber("partial_rotary_factor", rotary.Fraction);
        if (rotary.Scaling is { } scaling)
            RopeSection.Write(json, scaling);
    }

    private static (string Name, JsonElement Value)? Section(ConfigFile file, string layers)
    {
        if (ByLayer(file, layers) is { } own)
            return own;
        foreach (var name in new[] { "rope_parameters", "rope_scaling" })
        {
            if (file.OptionalObject(name) is { } found)
                return (name, found);
        }

        return null;
    }

    private static (string Name, JsonElement Value)? ByLayer(ConfigFile file, string layers)
    {
        if (file.OptionalObject("rope_parameters") is not { } all || !all.TryGetProperty(layers, out var found))
            return null;
        if (
            all.EnumerateObject().FirstOrDefault(item => item.Name is not (FullLayers or SlidingLayers)) is
            { Value.ValueKind: not JsonValueKind.Undefined } other
        )
            throw file.Error($"rope_parameters.{other.Name}", "given", $"only '{FullLayers}' and '{SlidingLayers}' beside '{layers}'");
        return found.ValueKind == JsonValueKind.Object
            ? ($"rope_parameters.{layers}", found)
            : throw file.Error($"rope_parameters.{layers}", found.ValueKind.ToString(), "an object");
    }
}
