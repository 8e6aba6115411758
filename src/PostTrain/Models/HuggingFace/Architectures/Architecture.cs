using System.Text.Json;

namespace PostTrain.Models.HuggingFace;

/// <summary>An architecture of transformers: the mapping between its config.json and a <see cref="DecoderConfig"/>.</summary>
internal abstract class Architecture
{
    /// <summary><c>model_type</c>.</summary>
    public abstract string ModelType { get; }

    /// <summary>The class in <c>architectures</c>.</summary>
    public abstract string ClassName { get; }

    /// <summary>Reads the configuration without token ids.</summary>
    public abstract DecoderConfig Read(ConfigFile file);

    /// <summary>Returns the configuration with every value that this architecture fixes. A configuration that does not change can be
    /// written.</summary>
    public abstract DecoderConfig Nearest(DecoderConfig config);

    /// <summary>Writes the fields specific to the architecture.</summary>
    public abstract void Write(Utf8JsonWriter json, DecoderConfig config);

    /// <summary>Returns one attention for all layers.</summary>
    protected static AttentionLayers Uniform(RotarySpec? rotary) => [new AttentionSpec { Rotary = rotary }];

    /// <summary>Rejects a field that is true.</summary>
    protected static void RefuseTrue(ConfigFile file, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (file.Flag(name, false))
                throw file.Error(name, "true", "false, the only supported value");
        }
    }
}
