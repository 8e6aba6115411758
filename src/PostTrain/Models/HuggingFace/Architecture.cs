using System.Text.Json;

namespace PostTrain.Models.HuggingFace;

/// <summary>One architecture of transformers: how its config.json says what a <see cref="DecoderConfig"/> says.</summary>
internal abstract class Architecture
{
    /// <summary><c>model_type</c>.</summary>
    public abstract string ModelType { get; }

    /// <summary>The class in <c>architectures</c>.</summary>
    public abstract string ClassName { get; }

    /// <summary>The configuration without ids of tokens.</summary>
    public abstract DecoderConfig Read(ConfigFile file);

    /// <summary>The configuration with everything that this architecture leaves no choice in. What stays the same can be written.</summary>
    public abstract DecoderConfig Nearest(DecoderConfig config);

    /// <summary>Writes the fields that all architectures have not.</summary>
    public abstract void Write(Utf8JsonWriter json, DecoderConfig config);

    /// <summary>The one attention of all layers.</summary>
    protected static AttentionLayers Uniform(RotarySpec? rotary) => [new AttentionSpec { Rotary = rotary }];

    /// <summary>Refuses a field that is true.</summary>
    protected static void RefuseTrue(ConfigFile file, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (file.Flag(name, false))
                throw file.Error(name, "true", "false, the only supported value");
        }
    }
}
